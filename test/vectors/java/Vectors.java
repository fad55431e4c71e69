import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;

/**
 * Runs every topology of the catalog over its generated inputs in Kafka Streams' TopologyTestDriver and writes what came out after each
 * record, one file a topology. Arguments: the folder to write to, then names of topologies, none for all.
 */
public final class Vectors {
  public static void main(String[] arguments) throws IOException {
    StatelessTopologies.add();
    AggregateTopologies.add();
    TableTopologies.add();
    WindowTopologies.add();
    SuppressTopologies.add();
    CogroupTopologies.add();
    ProcessTopologies.add();
    StreamJoinTopologies.add();
    TableJoinTopologies.add();
    ForeignKeyTopologies.add();
    VersionedTopologies.add();
    HeaderTopologies.add();
    NodeTopologies.add();
    Path folder = Path.of(arguments[0]);
    List<String> wanted = List.of(arguments).subList(1, arguments.length);
    int done = 0;
    for (Catalog.Entry entry : Catalog.ENTRIES.values()) {
      done++;
      if (!wanted.isEmpty() && !wanted.contains(entry.name)) continue;
      Files.writeString(folder.resolve(entry.name + ".json"), vectorsOf(entry));
      System.out.println(done + "/" + Catalog.ENTRIES.size() + " " + entry.name);
    }
  }

  private static String vectorsOf(Catalog.Entry entry) throws IOException {
    StringBuilder text = new StringBuilder("{\"topology\":").append(json(entry.name));
    if (entry.cached) text.append(",\"cached\":true");
    if (entry.optimized) text.append(",\"optimized\":true");
    if (entry.headers) text.append(",\"headers\":true");
    text.append(",\"outputs\":").append(list(entry.outputs)).append(",\"runs\":[\n");
    String separator = "";
    for (Inputs.Run run : entry.inputs.runs(entry.name)) {
      text.append(separator).append("{\"profile\":").append(json(run.profile())).append(",\"records\":[\n");
      text.append(resultsOf(entry, run));
      separator = ",\n";
    }
    return text.append("\n]}\n").toString();
  }

  private static String resultsOf(Catalog.Entry entry, Inputs.Run run) throws IOException {
    Catalog.EFFECTS.clear();
    Path state = Files.createTempDirectory("vectors");
    Properties config = new Properties();
    config.put("application.id", "vectors");
    config.put("bootstrap.servers", "none:1");
    config.put("state.dir", state.toString());
    config.put("default.key.serde", Serdes.StringSerde.class.getName());
    config.put("default.value.serde", Serdes.StringSerde.class.getName());
    // Without a cache every update is forwarded: results compare record by record.
    config.put("statestore.cache.max.bytes", entry.cached ? "10485760" : "0");
    if (entry.optimized) config.put("topology.optimization", "all");
    // Closed windows are emitted with the record that closes them, not at most once a second of wall-clock time.
    config.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", 0L);
    config.put("__emit.interval.ms.kstreams.windowed.aggregation__", 0L);
    StringBuilder lines = new StringBuilder();
    double dropped;
    try (TopologyTestDriver driver = new TopologyTestDriver(entry.build.apply(config), config, Instant.ofEpochMilli(0))) {
      Map<String, TestInputTopic<String, String>> inputs = new HashMap<>();
      List<TestOutputTopic<String, String>> outputs = entry.outputs.stream()
          .map(topic -> driver.createOutputTopic(topic, new StringDeserializer(), new StringDeserializer())).toList();
      int number = 0;
      for (Inputs.Event event : run.events()) {
        if (event.topic().equals(Inputs.WALL_CLOCK)) {
          driver.advanceWallClockTime(Duration.ofMillis(event.time()));
        } else {
          RecordHeaders headers = new RecordHeaders();
          if (entry.headers) headers.add("n", String.valueOf(number).getBytes());
          inputs.computeIfAbsent(event.topic(), topic -> driver.createInputTopic(topic, new StringSerializer(), new StringSerializer()))
              .pipeInput(new TestRecord<>(event.key(), event.value(), headers, event.time()));
        }
        if (number++ > 0) lines.append(",\n");
        lines.append("[").append(json(event.topic())).append(",").append(json(event.key())).append(",").append(json(event.value()))
            .append(",").append(event.time());
        for (int i = 0; i < outputs.size(); i++) {
          for (TestRecord<String, String> result : outputs.get(i).readRecordsToList()) {
            lines.append(",").append(json((i == 0 ? "" : entry.outputs.get(i) + ": ") + shown(result)));
          }
        }
        for (String effect : Catalog.EFFECTS) lines.append(",").append(json("effect: " + effect));
        Catalog.EFFECTS.clear();
        lines.append("]");
      }
      dropped = driver.metrics().entrySet().stream().filter(metric -> metric.getKey().name().equals("dropped-records-total"))
          .mapToDouble(metric -> (Double) metric.getValue().metricValue()).sum();
    } finally {
      delete(state);
    }
    return lines.append("\n],\"dropped\":").append((long) dropped).append("}").toString();
  }

  private static String shown(TestRecord<String, String> result) {
    StringBuilder text = new StringBuilder().append(result.key()).append("=").append(result.value()).append("@").append(result.timestamp());
    for (Header header : result.headers()) text.append(" ").append(header.key()).append(":").append(new String(header.value()));
    return text.toString();
  }

  private static String list(List<String> texts) {
    return "[" + String.join(",", texts.stream().map(Vectors::json).toList()) + "]";
  }

  /** No text here holds a quote, a backslash or a control character. */
  private static String json(String text) { return text == null ? "null" : "\"" + text + "\""; }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.sorted((a, b) -> b.compareTo(a)).toList()) Files.deleteIfExists(path);
    }
  }
}
