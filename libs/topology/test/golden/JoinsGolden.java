import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.*;
import org.apache.kafka.streams.test.TestRecord;

// Writes kafka-streams-joins.txt: generated inputs, and what Kafka Streams makes of them in the topologies of joins.spec.ts.
// Needs kafka-streams and kafka-streams-test-utils 4.3.1 on the class path. Argument: the file to write.
public class JoinsGolden {
  static final Serde<String> S = Serdes.String();
  static final Duration ZERO = Duration.ZERO;

  interface Draw { void draw(StreamsBuilder b); }

  static Duration ms(long ms) { return Duration.ofMillis(ms); }
  static JoinWindows within(long ms) { return JoinWindows.ofTimeDifferenceWithNoGrace(ms(ms)); }
  static JoinWindows within(long ms, long grace) { return JoinWindows.ofTimeDifferenceAndGrace(ms(ms), ms(grace)); }
  static KStream<String, String> left(StreamsBuilder b) { return b.stream("left", Consumed.with(S, S)); }
  static KStream<String, String> right(StreamsBuilder b) { return b.stream("right", Consumed.with(S, S)); }
  static KTable<String, String> table(StreamsBuilder b) { return b.table("table", Consumed.with(S, S), Materialized.as("t1")); }
  static GlobalKTable<String, String> global(StreamsBuilder b) { return b.globalTable("table", Consumed.with(S, S), Materialized.as("g1")); }
  static KTable<String, String> other(StreamsBuilder b) { return b.table("other", Consumed.with(S, S), Materialized.as("t2")); }
  static Materialized<String, String, KeyValueStore<Bytes, byte[]>> kept(String name) {
    return Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(S);
  }
  static KTable<String, String> versioned(StreamsBuilder b) { return b.table("table", Consumed.with(S, S), Materialized.as(Stores.persistentVersionedKeyValueStore("v", ms(60)))); }
  static Materialized<String, String, KeyValueStore<Bytes, byte[]>> keptVersions(String name) {
    return Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore(name, ms(40))).withKeySerde(S).withValueSerde(S);
  }
  static String foreignKey(String v) { return v.equals("v0") ? null : v.equals("v1") || v.equals("v2") ? "a" : v.equals("v3") ? "b" : "c"; }
  static String notV1(String a, String b) { return "v1".equals(a) ? null : a + "+" + b; }
  static StreamJoined<String, String, String> joined() { return StreamJoined.with(S, S, S).withStoreName("s").withName("j"); }
  static String plus(String a, String b) { return a + "+" + b; }

  static void out(KStream<String, ?> stream) {
    stream.mapValues(v -> v == null ? null : v.toString()).to("out", Produced.with(S, S));
  }

  static final Map<String, Draw> TOPOLOGIES = new LinkedHashMap<>();

  static {
    TOPOLOGIES.put("stream join", b -> out(left(b).join(right(b), JoinsGolden::plus, within(30), joined())));
    TOPOLOGIES.put("stream join with grace", b -> out(left(b).join(right(b), JoinsGolden::plus, within(20, 40), joined())));
    TOPOLOGIES.put("stream join before 0", b -> out(left(b).join(right(b), JoinsGolden::plus, within(30).before(ZERO), joined())));
    TOPOLOGIES.put("stream join after -5", b -> out(left(b).join(right(b), JoinsGolden::plus, within(60, 5).after(ms(-5)), joined())));
    TOPOLOGIES.put("stream join within 0", b -> out(left(b).join(right(b), JoinsGolden::plus, within(0), joined())));
    TOPOLOGIES.put("stream leftJoin", b -> out(left(b).leftJoin(right(b), JoinsGolden::plus, within(30), joined())));
    TOPOLOGIES.put("stream leftJoin with grace", b -> out(left(b).leftJoin(right(b), JoinsGolden::plus, within(10, 15), joined())));
    TOPOLOGIES.put("stream leftJoin before 0", b -> out(left(b).leftJoin(right(b), JoinsGolden::plus, within(30).before(ZERO), joined())));
    TOPOLOGIES.put("stream leftJoin after 0", b -> out(left(b).leftJoin(right(b), JoinsGolden::plus, within(30).after(ZERO), joined())));
    TOPOLOGIES.put("stream outerJoin", b -> out(left(b).outerJoin(right(b), JoinsGolden::plus, within(20), joined())));
    TOPOLOGIES.put("stream outerJoin with grace", b -> out(left(b).outerJoin(right(b), JoinsGolden::plus, within(5, 20), joined())));
    TOPOLOGIES.put("stream outerJoin before 40 after 5", b -> out(left(b).outerJoin(right(b), JoinsGolden::plus, within(5).before(ms(40)), joined())));
    TOPOLOGIES.put("stream outerJoin before 5 after 40", b -> out(left(b).outerJoin(right(b), JoinsGolden::plus, within(5, 3).after(ms(40)), joined())));
    TOPOLOGIES.put("stream self join", b -> {
      KStream<String, String> s = left(b);
      out(s.join(s, JoinsGolden::plus, within(20), joined()));
    });
    TOPOLOGIES.put("stream self outerJoin", b -> {
      KStream<String, String> s = left(b);
      out(s.outerJoin(s.filter((k, v) -> v != null && v.compareTo("v2") > 0), JoinsGolden::plus, within(20), joined()));
    });
    TOPOLOGIES.put("stream join after selectKey", b -> out(left(b).selectKey((k, v) -> v == null ? null : v.equals("v1") ? "a" : "b")
        .join(right(b).selectKey((k, v) -> v == null || v.equals("v1") ? null : "a"), JoinsGolden::plus, within(30), joined())));
    TOPOLOGIES.put("stream leftJoin after selectKey", b -> out(left(b).selectKey((k, v) -> v == null || v.equals("v1") ? null : "a")
        .leftJoin(right(b).selectKey((k, v) -> v == null || v.equals("v1") ? null : "a"), JoinsGolden::plus, within(30), joined())));
    TOPOLOGIES.put("stream join to null", b -> out(left(b).outerJoin(right(b), (x, y) -> x == null || y == null ? null : x + y, within(20), joined())));
    TOPOLOGIES.put("stream joins in a row", b -> out(left(b).leftJoin(right(b), JoinsGolden::plus, within(30), joined())
        .join(b.stream("third", Consumed.with(S, S)), JoinsGolden::plus, within(50), StreamJoined.with(S, S, S).withStoreName("t").withName("k"))));
    TOPOLOGIES.put("table join", b -> out(table(b).join(other(b), JoinsGolden::plus).toStream()));
    TOPOLOGIES.put("table leftJoin", b -> out(table(b).leftJoin(other(b), JoinsGolden::plus).toStream()));
    TOPOLOGIES.put("table outerJoin", b -> out(table(b).outerJoin(other(b), JoinsGolden::plus).toStream()));
    TOPOLOGIES.put("table join to null", b -> out(table(b).join(other(b), JoinsGolden::notV1).toStream()));
    TOPOLOGIES.put("table join materialized", b -> out(table(b).join(other(b), JoinsGolden::notV1, kept("m")).toStream()));
    TOPOLOGIES.put("table leftJoin materialized filter", b -> out(table(b).leftJoin(other(b), JoinsGolden::plus, kept("m")).filter((k, v) -> v.compareTo("v2") > 0).toStream()));
    TOPOLOGIES.put("table outerJoin materialized filter", b -> out(table(b).outerJoin(other(b), JoinsGolden::notV1, kept("m")).filter((k, v) -> v.compareTo("v2") > 0).toStream()));
    TOPOLOGIES.put("table join filter", b -> out(table(b).join(other(b), JoinsGolden::plus).filter((k, v) -> v.compareTo("v2") > 0).toStream()));
    TOPOLOGIES.put("table leftJoin filter mapValues", b -> out(table(b).leftJoin(other(b), JoinsGolden::notV1).filter((k, v) -> v.compareTo("v2") > 0).mapValues(v -> "m" + v).toStream()));
    TOPOLOGIES.put("table outerJoin filter", b -> out(table(b).outerJoin(other(b), JoinsGolden::plus).filter((k, v) -> v.endsWith("v2")).toStream()));
    TOPOLOGIES.put("filtered table leftJoin mapped table", b -> out(table(b).filter((k, v) -> v.compareTo("v1") > 0)
        .leftJoin(other(b).mapValues(v -> v.equals("v0") ? null : "m" + v), JoinsGolden::plus).toStream()));
    TOPOLOGIES.put("table self join", b -> {
      KTable<String, String> t = table(b);
      out(t.join(t, JoinsGolden::plus).toStream());
    });
    TOPOLOGIES.put("table joins in a row", b -> out(table(b).leftJoin(other(b), JoinsGolden::plus)
        .outerJoin(b.table("right", Consumed.with(S, S), Materialized.as("t3")), JoinsGolden::plus).toStream()));
    TOPOLOGIES.put("table join of joins", b -> {
      KTable<String, String> t = table(b);
      KTable<String, String> o = other(b);
      out(t.outerJoin(o, JoinsGolden::plus).join(t.join(o, JoinsGolden::notV1), (x, y) -> x + "/" + y).toStream());
    });
    TOPOLOGIES.put("stream join with joined tables", b -> out(left(b).leftJoin(table(b).outerJoin(other(b), JoinsGolden::notV1), JoinsGolden::plus)));
    TOPOLOGIES.put("global join", b -> out(left(b).join(global(b), (k, v) -> "v1".equals(v) ? null : k == null ? "a" : k.equals("b") ? "a" : k, JoinsGolden::plus)));
    TOPOLOGIES.put("global leftJoin", b -> out(left(b).leftJoin(global(b), (k, v) -> "v1".equals(v) ? null : k, JoinsGolden::notV1)));
    TOPOLOGIES.put("global join after selectKey", b -> out(left(b).selectKey((k, v) -> v).join(global(b), (k, v) -> "c", JoinsGolden::plus, Named.as("g"))));
    TOPOLOGIES.put("foreign key join", b -> out(table(b).join(other(b), JoinsGolden::foreignKey, JoinsGolden::plus, TableJoined.as("fk")).toStream()));
    TOPOLOGIES.put("foreign key leftJoin", b -> out(table(b).leftJoin(other(b), JoinsGolden::foreignKey, JoinsGolden::plus, TableJoined.as("fk")).toStream()));
    TOPOLOGIES.put("foreign key join materialized filter", b -> out(table(b).join(other(b), JoinsGolden::foreignKey, JoinsGolden::notV1, TableJoined.as("fk"), kept("m"))
        .filter((k, v) -> v.endsWith("2")).toStream()));
    TOPOLOGIES.put("foreign key leftJoin materialized grouped", b -> out(table(b).leftJoin(other(b), JoinsGolden::foreignKey, JoinsGolden::plus, TableJoined.as("fk"), kept("m"))
        .groupBy((k, v) -> KeyValue.pair(v.substring(0, 2), v), Grouped.with("g", S, S)).count(Materialized.as("c")).toStream()));
    TOPOLOGIES.put("foreign key leftJoin with views", b -> out(table(b).filter((k, v) -> !v.equals("v3"))
        .leftJoin(other(b).mapValues(v -> v.equals("v0") ? null : v + v, kept("o")), JoinsGolden::foreignKey, JoinsGolden::plus, TableJoined.as("fk")).toStream()));
    TOPOLOGIES.put("foreign key self join", b -> {
      KTable<String, String> t = table(b);
      out(t.join(t, JoinsGolden::foreignKey, JoinsGolden::plus, TableJoined.as("fk")).toStream());
    });
    TOPOLOGIES.put("versioned table", b -> out(versioned(b).toStream()));
    TOPOLOGIES.put("versioned table filter mapValues", b -> out(versioned(b).filter((k, v) -> v.compareTo("v2") > 0).mapValues(v -> "m" + v).toStream()));
    TOPOLOGIES.put("versioned table filter materialized", b -> out(versioned(b).filter((k, v) -> v.compareTo("v2") > 0, kept("f")).toStream()));
    TOPOLOGIES.put("versioned table filter versioned", b -> out(left(b).join(versioned(b).filter((k, v) -> v.compareTo("v2") > 0, keptVersions("f")), JoinsGolden::plus)));
    TOPOLOGIES.put("versioned table grouped", b -> out(versioned(b).mapValues(v -> v + v).groupBy((k, v) -> KeyValue.pair(v, v), Grouped.with("g", S, S)).count(Materialized.as("c")).toStream()));
    TOPOLOGIES.put("stream join versioned", b -> out(left(b).join(versioned(b), JoinsGolden::plus)));
    TOPOLOGIES.put("stream leftJoin versioned views", b -> out(left(b).leftJoin(versioned(b).filter((k, v) -> v.compareTo("v1") > 0).mapValues(v -> "m" + v), JoinsGolden::plus)));
    TOPOLOGIES.put("stream leftJoin toTable versioned", b -> out(left(b).leftJoin(right(b).toTable(keptVersions("tt")), JoinsGolden::plus)));
    TOPOLOGIES.put("table join versioned", b -> out(versioned(b).outerJoin(other(b), JoinsGolden::plus).toStream()));
    TOPOLOGIES.put("table leftJoin versioned mapped materialized", b -> out(other(b).leftJoin(versioned(b).mapValues(v -> "m" + v), JoinsGolden::plus, keptVersions("m")).toStream()));
    TOPOLOGIES.put("foreign key join versioned", b -> out(versioned(b).leftJoin(other(b), JoinsGolden::foreignKey, JoinsGolden::plus, TableJoined.as("fk")).toStream()));
    TOPOLOGIES.put("foreign key join with versioned", b -> out(other(b).join(versioned(b), JoinsGolden::foreignKey, JoinsGolden::plus, TableJoined.as("fk"), keptVersions("r")).toStream()));
    TOPOLOGIES.put("stream join versioned with grace", b -> out(left(b).join(versioned(b), JoinsGolden::plus, Joined.with(S, S, S, "j", ms(30)))));
    TOPOLOGIES.put("stream leftJoin versioned with grace 0", b -> out(left(b).filter((k, v) -> k != null).leftJoin(versioned(b), JoinsGolden::plus, Joined.with(S, S, S, "j", ms(0)))));
    TOPOLOGIES.put("stream join versioned aggregate", b -> out(left(b).leftJoin(right(b).groupByKey()
        .aggregate(() -> "", (k, v, x) -> v.equals("v0") ? null : x + v.charAt(1), keptVersions("s")), JoinsGolden::plus)));
    TOPOLOGIES.put("versioned reduce", b -> out(right(b).groupByKey().reduce((x, y) -> y.equals("v1") ? null : x + y.charAt(1), keptVersions("s")).toStream()));
    TOPOLOGIES.put("versioned table count", b -> out(left(b).join(table(b).groupBy((k, v) -> KeyValue.pair(v.compareTo("v2") > 0 ? "a" : "b", v), Grouped.with("g", S, S))
        .reduce((x, y) -> x + y, (x, y) -> x.replace(y, ""), keptVersions("s")), JoinsGolden::plus)));
    TOPOLOGIES.put("table join grouped", b -> out(table(b).join(other(b), JoinsGolden::notV1)
        .groupBy((k, v) -> KeyValue.pair(v.substring(0, 2), v), Grouped.with("g", S, S)).count(Materialized.as("c")).toStream()));
  }

  static String json(String s) { return s == null ? "null" : "\"" + s + "\""; }

  public static void main(String[] args) throws Exception {
    StringBuilder all = new StringBuilder();
    for (Map.Entry<String, Draw> entry : TOPOLOGIES.entrySet()) {
      for (int seed = 0; seed < 8; seed++) all.append(entry.getKey()).append("\t").append(run(entry.getKey(), entry.getValue(), seed)).append("\n");
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
    config.put("statestore.cache.max.bytes", "0");
    config.put("state.dir", Files.createTempDirectory("golden").toString());
    config.put("default.key.serde", Serdes.StringSerde.class.getName());
    config.put("default.value.serde", Serdes.StringSerde.class.getName());
    config.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", 0L);
    Topology topology = builder.build();
    String described = topology.describe().toString();
    List<String> topics = new ArrayList<>();
    for (String topic : List.of("left", "right", "third", "table", "other")) {
      if (described.contains("[" + topic + "]") || described.contains("global") && topic.equals("table")) topics.add(topic);
    }
    StringBuilder ins = new StringBuilder();
    StringBuilder outs = new StringBuilder();
    Random random = new Random(seed * 7919L + 1);
    try (TopologyTestDriver driver = new TopologyTestDriver(topology, config)) {
      Map<String, TestInputTopic<String, String>> inputs = new HashMap<>();
      for (String topic : topics) inputs.put(topic, driver.createInputTopic(topic, new StringSerializer(), new StringSerializer()));
      TestOutputTopic<String, String> out = driver.createOutputTopic("out", new StringDeserializer(), new StringDeserializer());
      for (int i = 0; i < 40; i++) {
        String topic = topics.get(random.nextInt(topics.size()));
        boolean nulls = seed % 4 == 2 || topic.equals("table") || topic.equals("other");
        String key = seed % 4 == 2 && random.nextInt(5) == 0 ? null : String.valueOf((char) ('a' + random.nextInt(3)));
        String value = nulls && random.nextInt(4) == 0 ? null : "v" + random.nextInt(5);
        long timestamp = seed % 4 == 0 ? i * 6L : seed % 4 == 3 ? i / 4 * 20L : Math.max(0, i * 5 + random.nextInt(120) - 60);
        inputs.get(topic).pipeInput(key, value, timestamp);
        ins.append(i > 0 ? "," : "").append("[").append(json(topic)).append(",").append(json(key)).append(",").append(json(value)).append(",").append(timestamp).append("]");
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
