import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.test.TestRecord;

// Writes kafka-streams-results.txt: generated inputs, and what Kafka Streams makes of them in the topologies of results.spec.ts.
// Needs kafka-streams and kafka-streams-test-utils 4.3.1 on the class path. Argument: the file to write.
public class ResultsGolden {
  static final Serde<String> S = Serdes.String();

  interface Draw { void draw(StreamsBuilder b); }

  static KStream<String, String> in(StreamsBuilder b) { return b.stream("in", Consumed.with(S, S)); }

  static KTable<String, String> rows(StreamsBuilder b) { return b.table("table", Consumed.with(S, S), Materialized.as("rows")); }

  static void out(KStream<String, ?> stream) {
    stream.mapValues(v -> v == null ? null : v.toString()).to("out", Produced.with(S, S));
  }

  /**
   * Without a cache Kafka Streams forwards the initializer's value as the old value of a new key, so that a filter behind it deletes what
   * never was there, and a count of counts is wrong. With one it forwards null, as Millrace does.
   */
  static final Set<String> WITH_CACHE = Set.of("aggregate filter mapValues");

  static final Map<String, Draw> TOPOLOGIES = new LinkedHashMap<>();

  static {
    TOPOLOGIES.put("count", b -> out(in(b).groupByKey().count(Materialized.as("s")).toStream()));
    TOPOLOGIES.put("reduce", b -> out(in(b).groupByKey().reduce((x, y) -> x + y.charAt(1), Materialized.as("s")).toStream()));
    TOPOLOGIES.put("reduce to null", b -> out(in(b).groupByKey().reduce((x, y) -> y.equals("v0") ? null : y, Materialized.as("s")).toStream()));
    TOPOLOGIES.put("aggregate", b -> out(in(b).groupByKey()
        .aggregate(() -> "", (k, v, x) -> v.equals("v0") ? null : x + v.charAt(1), Materialized.<String, String, org.apache.kafka.streams.state.KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]>>as("s").withValueSerde(S)).toStream()));
    TOPOLOGIES.put("groupBy", b -> out(in(b).groupBy((k, v) -> v == null || v.equals("v1") ? null : v, Grouped.with("g", S, S)).count(Materialized.as("s")).toStream()));
    TOPOLOGIES.put("groupByKey after selectKey", b -> out(in(b).selectKey((k, v) -> v).groupByKey(Grouped.with("g", S, S)).reduce((x, y) -> y, Materialized.as("s")).toStream()));
    TOPOLOGIES.put("aggregate of an aggregate", b -> out(in(b).groupByKey().count(Materialized.as("s")).toStream()
        .selectKey((k, v) -> "n" + v % 3).groupByKey(Grouped.with("g", S, Serdes.Long())).count(Materialized.as("t")).toStream()));
    TOPOLOGIES.put("table", b -> out(rows(b).toStream()));
    TOPOLOGIES.put("table filter", b -> out(rows(b).filter((k, v) -> v.compareTo("v2") > 0).toStream()));
    TOPOLOGIES.put("table filterNot materialized", b -> out(rows(b).filterNot((k, v) -> v.compareTo("v2") > 0, Materialized.as("f")).toStream()));
    TOPOLOGIES.put("table mapValues", b -> out(rows(b).mapValues(v -> v.equals("v0") ? null : "m" + v).toStream()));
    TOPOLOGIES.put("table mapValues materialized", b -> out(rows(b).mapValues(v -> v.equals("v0") ? null : "m" + v, Materialized.<String, String, org.apache.kafka.streams.state.KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]>>as("m").withValueSerde(S)).toStream()));
    TOPOLOGIES.put("table mapValues filter", b -> out(rows(b).mapValues(v -> v.equals("v0") ? null : "m" + v).filter((k, v) -> v.compareTo("mv2") > 0).toStream()));
    TOPOLOGIES.put("aggregate filter mapValues", b -> out(in(b).groupByKey().count(Materialized.as("s")).filter((k, v) -> v % 2 == 0).mapValues(v -> v * 10).toStream()));
    TOPOLOGIES.put("join", b -> out(in(b).join(rows(b), (v, r) -> v + "+" + r)));
    TOPOLOGIES.put("join to null", b -> out(in(b).join(rows(b), (v, r) -> v.equals("v0") ? null : v + "+" + r)));
    TOPOLOGIES.put("leftJoin", b -> out(in(b).leftJoin(rows(b), (v, r) -> v + "+" + r)));
    TOPOLOGIES.put("join after selectKey", b -> out(in(b).selectKey((k, v) -> v == null ? null : v.equals("v1") ? "a" : "b").join(rows(b), (v, r) -> v + "+" + r, Joined.with(S, S, S, "j"))));
    TOPOLOGIES.put("leftJoin after map", b -> out(in(b).map((k, v) -> KeyValue.pair(v == null || v.equals("v1") ? null : "a", v)).leftJoin(rows(b), (v, r) -> v + "+" + r, Joined.with(S, S, S, "j"))));
    TOPOLOGIES.put("leftJoin with a filtered table", b -> out(in(b).leftJoin(rows(b).filter((k, v) -> v.compareTo("v2") > 0).mapValues(v -> "m" + v), (v, r) -> v + "+" + r)));
    TOPOLOGIES.put("join with an aggregate", b -> {
      KStream<String, String> s = in(b);
      out(s.join(s.groupByKey().count(Materialized.as("s")), (v, n) -> v + "+" + n));
    });
    TOPOLOGIES.put("aggregate before its join", b -> {
      KStream<String, String> s = in(b);
      KTable<String, String> t = s.groupByKey().reduce((x, y) -> y, Materialized.as("s"));
      out(s.filter((k, v) -> v != null).leftJoin(t, (v, r) -> v + "+" + r).merge(t.toStream()));
    });
    TOPOLOGIES.put("stateless", b -> out(in(b)
        .filter((k, v) -> v != null).flatMapValues(v -> v.equals("v1") ? List.of() : List.of(v, v + "!"))
        .map((k, v) -> KeyValue.pair(v, k)).flatMap((k, v) -> List.of(KeyValue.pair(v, k), KeyValue.pair(k, v))).filterNot((k, v) -> k != null && k.endsWith("!"))));
    TOPOLOGIES.put("split and merge", b -> {
      Map<String, KStream<String, String>> m = in(b).split(Named.as("x-"))
          .branch((k, v) -> v == null, Branched.as("none")).branch((k, v) -> v.equals("v1"), Branched.as("one")).defaultBranch(Branched.as("rest"));
      out(m.get("x-rest").mapValues(v -> "rest " + v).merge(m.get("x-none")).merge(m.get("x-one").mapValues(v -> "one")));
    });
    TOPOLOGIES.put("repartition", b -> out(in(b).repartition(Repartitioned.<String, String>as("again").withKeySerde(S).withValueSerde(S)).groupByKey().count(Materialized.as("s")).toStream()));
  }

  static String json(String s) { return s == null ? "null" : "\"" + s + "\""; }

  public static void main(String[] args) throws Exception {
    StringBuilder all = new StringBuilder();
    for (Map.Entry<String, Draw> entry : TOPOLOGIES.entrySet()) {
      for (int seed = 0; seed < 12; seed++) all.append(entry.getKey()).append("\t").append(run(entry.getKey(), entry.getValue(), seed)).append("\n");
    }
    Files.writeString(Path.of(args[0]), all.toString());
  }

  /** Seeds by kind: in order, out of order, with nulls, with equal timestamps. */
  static String run(String name, Draw draw, int seed) throws Exception {
    StreamsBuilder builder = new StreamsBuilder();
    draw.draw(builder);
    Properties config = new Properties();
    config.put("application.id", "golden");
    config.put("bootstrap.servers", "none:1");
    config.put("statestore.cache.max.bytes", WITH_CACHE.contains(name) ? "10485760" : "0");
    config.put("state.dir", Files.createTempDirectory("golden").toString());
    config.put("default.key.serde", Serdes.StringSerde.class.getName());
    config.put("default.value.serde", Serdes.StringSerde.class.getName());
    Topology topology = builder.build();
    boolean hasTable = topology.describe().toString().contains("[table]");
    boolean hasStream = topology.describe().toString().contains("[in]");
    StringBuilder ins = new StringBuilder();
    StringBuilder outs = new StringBuilder();
    Random random = new Random(seed * 7919L + 1);
    try (TopologyTestDriver driver = new TopologyTestDriver(topology, config)) {
      TestInputTopic<String, String> in = hasStream ? driver.createInputTopic("in", new StringSerializer(), new StringSerializer()) : null;
      TestInputTopic<String, String> table = hasTable ? driver.createInputTopic("table", new StringSerializer(), new StringSerializer()) : null;
      TestOutputTopic<String, String> out = driver.createOutputTopic("out", new StringDeserializer(), new StringDeserializer());
      for (int i = 0; i < 24; i++) {
        boolean toTable = hasTable && (!hasStream || random.nextInt(5) < 2);
        String key = seed % 4 == 2 && random.nextInt(5) == 0 ? null : String.valueOf((char) ('a' + random.nextInt(3)));
        String value = (seed % 4 == 2 || toTable) && random.nextInt(4) == 0 ? null : "v" + random.nextInt(5);
        long timestamp = seed % 4 == 0 ? i * 10L : seed % 4 == 3 ? i / 4 * 10L : random.nextInt(200);
        (toTable ? table : in).pipeInput(key, value, timestamp);
        ins.append(i > 0 ? "," : "").append("[").append(json(toTable ? "table" : "in")).append(",").append(json(key)).append(",").append(json(value)).append(",").append(timestamp).append("]");
      }
      boolean first = true;
      for (TestRecord<String, String> r : out.readRecordsToList()) {
        outs.append(first ? "" : ",").append("[").append(json(r.key())).append(",").append(json(r.value())).append(",").append(r.timestamp()).append("]");
        first = false;
      }
    }
    return "[" + ins + "]\t[" + outs + "]";
  }
}
