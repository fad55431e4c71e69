import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;

/** The topologies by name, each with its inputs. What is added here has a twin of the same name in ../topologies. */
final class Catalog {
  static final class Entry {
    final String name;
    final Inputs inputs;
    final Function<Properties, Topology> build;
    List<String> outputs = List.of("out");
    boolean cached;
    boolean optimized;
    boolean headers;

    Entry(String name, Inputs inputs, Function<Properties, Topology> build) {
      this.name = name;
      this.inputs = inputs;
      this.build = build;
    }

    Entry outputs(String... topics) { outputs = Arrays.asList(topics); return this; }

    /** With Kafka Streams' record cache, where its results without one are not meant: docs/guide/differences.md says why. */
    Entry cached() { cached = true; return this; }

    /** With `topology.optimization=all`. */
    Entry optimized() { optimized = true; return this; }

    /** Each input carries its number as header `n`. */
    Entry headers() { headers = true; return this; }
  }

  static final Map<String, Entry> ENTRIES = new LinkedHashMap<>();

  /** What functions did to the world outside, such as that of `peek`. */
  static final List<String> EFFECTS = new ArrayList<>();

  static Entry add(String name, Inputs inputs, Consumer<StreamsBuilder> draw) {
    return put(new Entry(name, inputs, config -> {
      StreamsBuilder builder = new StreamsBuilder();
      draw.accept(builder);
      return builder.build(config);
    }));
  }

  /** One that is drawn node by node. */
  static Entry addTopology(String name, Inputs inputs, Supplier<Topology> build) {
    return put(new Entry(name, inputs, config -> build.get()));
  }

  private static Entry put(Entry entry) {
    if (ENTRIES.put(entry.name, entry) != null) throw new IllegalStateException("twice: " + entry.name);
    return entry;
  }
}
