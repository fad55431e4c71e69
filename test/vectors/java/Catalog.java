import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.kafka.streams.StreamsBuilder;

/** The topologies by name, each with its inputs. What is added here has a twin of the same name in ../topologies. */
final class Catalog {
  static final class Entry {
    final String name;
    final Inputs inputs;
    final Consumer<StreamsBuilder> draw;
    List<String> outputs = List.of("out");
    boolean cached;
    boolean optimized;
    boolean headers;

    Entry(String name, Inputs inputs, Consumer<StreamsBuilder> draw) {
      this.name = name;
      this.inputs = inputs;
      this.draw = draw;
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
    Entry entry = new Entry(name, inputs, draw);
    if (ENTRIES.put(name, entry) != null) throw new IllegalStateException("twice: " + name);
    return entry;
  }
}
