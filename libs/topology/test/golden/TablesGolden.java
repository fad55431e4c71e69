import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.*;
import org.apache.kafka.streams.processor.api.*;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.*;
import org.apache.kafka.streams.test.TestRecord;

// Writes kafka-streams-tables.txt: generated inputs, and what Kafka Streams makes of them in the topologies of tables-results.spec.ts.
// Needs kafka-streams and kafka-streams-test-utils 4.3.1 on the class path. Argument: the file to write.
public class TablesGolden {
  static final Serde<String> S = Serdes.String();
  static final Serde<Integer> I = Serdes.Integer();

  interface Draw { void draw(StreamsBuilder b); }

  static KStream<String, String> in(StreamsBuilder b) { return b.stream("in", Consumed.with(S, S)); }

  static KStream<String, String> other(StreamsBuilder b) { return b.stream("table", Consumed.with(S, S)); }

  static KTable<String, String> rows(StreamsBuilder b) { return b.table("table", Consumed.with(S, S), Materialized.as("rows")); }

  static <K> void out(KStream<K, ?> stream) {
    stream.selectKey((k, v) -> k == null ? null : k instanceof Windowed<?> w ? w.key() + "@" + w.window().start() + "-" + w.window().end() : k.toString())
        .mapValues(v -> v == null ? null : v.toString()).to("out", Produced.with(S, S));
  }

  static <V> Materialized<String, V, KeyValueStore<Bytes, byte[]>> as(String name, Serde<V> values) {
    return Materialized.<String, V, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(values);
  }

  /** 'v0' is in no group, 'v1' has no value, others go to the group of even or odd numbers. */
  static KeyValue<String, String> group(String k, String v) {
    return v.equals("v0") ? KeyValue.pair(null, v) : KeyValue.pair((v.charAt(1) - '0') % 2 == 0 ? "even" : "odd", v.equals("v1") ? null : v);
  }

  static String minus(String from, String what) {
    int at = from.indexOf(what);
    return at < 0 ? from + "-" + what : from.substring(0, at) + from.substring(at + what.length());
  }

  static final Map<String, Draw> TOPOLOGIES = new LinkedHashMap<>();

  static {
    Grouped<String, String> g = Grouped.with("g", S, S);
    TOPOLOGIES.put("toTable", b -> out(in(b).toTable(as("t", S)).toStream()));
    TOPOLOGIES.put("toTable after selectKey", b -> out(in(b).selectKey((k, v) -> v).toTable(Named.as("n"), as("t", S)).toStream()));
    TOPOLOGIES.put("toTable filter", b -> out(in(b).toTable(as("t", S)).filter((k, v) -> v.compareTo("v2") > 0).toStream()));
    TOPOLOGIES.put("toStream with a mapper", b -> out(rows(b).toStream((k, v) -> k + v)));
    TOPOLOGIES.put("groupBy count", b -> out(rows(b).groupBy(TablesGolden::group, g).count(as("s", Serdes.Long())).toStream()));
    TOPOLOGIES.put("groupBy reduce", b -> out(rows(b).groupBy(TablesGolden::group, g).reduce((x, y) -> x + y, TablesGolden::minus, as("s", S)).toStream()));
    TOPOLOGIES.put("groupBy reduce to null", b -> out(rows(b).groupBy(TablesGolden::group, g)
        .reduce((x, y) -> x + y, (x, y) -> minus(x, y).isEmpty() ? null : minus(x, y), as("s", S)).toStream()));
    TOPOLOGIES.put("groupBy aggregate", b -> out(rows(b).groupBy(TablesGolden::group, g)
        .aggregate(() -> "i", (k, v, x) -> v.equals("v4") ? null : x + v, (k, v, x) -> minus(x, v), as("s", S)).toStream()));
    TOPOLOGIES.put("groupBy same key", b -> out(rows(b).groupBy((k, v) -> KeyValue.pair(k, v), g).reduce((x, y) -> x + y, TablesGolden::minus, as("s", S)).toStream()));
    TOPOLOGIES.put("groupBy of a filter", b -> out(rows(b).filter((k, v) -> v.compareTo("v2") > 0).groupBy(TablesGolden::group, g).count(as("s", Serdes.Long())).toStream()));
    TOPOLOGIES.put("groupBy of mapValues", b -> out(rows(b).mapValues(v -> v.equals("v3") ? "v0" : v).groupBy(TablesGolden::group, g).count(as("s", Serdes.Long())).toStream()));
    TOPOLOGIES.put("groupBy of toTable", b -> out(in(b).toTable(as("t", S)).groupBy(TablesGolden::group, g).reduce((x, y) -> x + y, TablesGolden::minus, as("s", S)).toStream()));
    TOPOLOGIES.put("groupBy of groupBy", b -> out(rows(b).groupBy(TablesGolden::group, g).count(as("s", Serdes.Long()))
        .groupBy((k, n) -> KeyValue.pair("n" + n, n), Grouped.with("h", S, Serdes.Long())).reduce((x, y) -> x + y, (x, y) -> x - y, as("u", Serdes.Long())).toStream()));
    TOPOLOGIES.put("filter of groupBy", b -> out(rows(b).groupBy(TablesGolden::group, g).count(as("s", Serdes.Long())).filter((k, n) -> n % 2 == 0).toStream()));
    TOPOLOGIES.put("cogroup", b -> out(in(b).groupByKey().<String>cogroup((k, v, x) -> x + v).cogroup(other(b).groupByKey(), (k, v, x) -> v.equals("v0") ? null : x + v.toUpperCase())
        .aggregate(() -> "", as("c", S)).toStream()));
    TOPOLOGIES.put("cogroup after selectKey", b -> out(in(b).groupByKey().<String>cogroup((k, v, x) -> x + v)
        .cogroup(other(b).selectKey((k, v) -> v == null ? null : v.equals("v1") ? "a" : "b").groupByKey(g), (k, v, x) -> x + v.toUpperCase()).aggregate(() -> "", as("c", S)).toStream()));
    TOPOLOGIES.put("cogroup in windows", b -> out(in(b).groupByKey().<String>cogroup((k, v, x) -> x + v).cogroup(other(b).groupByKey(), (k, v, x) -> x + (v == null ? "_" : v.toUpperCase()))
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMillis(30), Duration.ofMillis(20)).advanceBy(Duration.ofMillis(15))).aggregate(() -> "", Materialized.<String, String, WindowStore<Bytes, byte[]>>as("c").withValueSerde(S)).toStream()));
    TOPOLOGIES.put("cogroup in sessions", b -> out(in(b).groupByKey().<String>cogroup((k, v, x) -> x + v).cogroup(other(b).groupByKey(), (k, v, x) -> x + (v == null ? "_" : v.toUpperCase()))
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofMillis(20), Duration.ofMillis(20))).aggregate(() -> "", (k, x, y) -> x + y, Materialized.<String, String, SessionStore<Bytes, byte[]>>as("c").withValueSerde(S)).toStream()));
    TOPOLOGIES.put("cogroup in sliding windows", b -> out(in(b).groupByKey().<String>cogroup((k, v, x) -> x + v).cogroup(other(b).groupByKey(), (k, v, x) -> x + (v == null ? "_" : v.toUpperCase()))
        .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(20), Duration.ofMillis(20))).aggregate(() -> "", Materialized.<String, String, WindowStore<Bytes, byte[]>>as("c").withValueSerde(S)).toStream()));
    TOPOLOGIES.put("transformValues", b -> out(rows(b).<String>transformValues(Transform::new, as("t", S)).toStream()));
    TOPOLOGIES.put("filter of transformValues", b -> out(rows(b).<String>transformValues(Transform::new, as("t", S)).filter((k, v) -> v.compareTo("v2") > 0).toStream()));
    TOPOLOGIES.put("process with a key-value store", b -> {
      b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("kv"), S, S));
      out(in(b).process(KeyValues::new, "kv"));
    });
    TOPOLOGIES.put("process with a window store", b -> {
      b.addStateStore(Stores.windowStoreBuilder(Stores.persistentWindowStore("w", Duration.ofMillis(100), Duration.ofMillis(10), false), S, S));
      out(in(b).process(InWindows::new, "w"));
    });
    TOPOLOGIES.put("process with a session store", b -> {
      b.addStateStore(Stores.sessionStoreBuilder(Stores.persistentSessionStore("s", Duration.ofMillis(100)), S, S));
      out(in(b).process(InSessions::new, "s"));
    });
    TOPOLOGIES.put("process with a versioned store", b -> {
      b.addStateStore(Stores.versionedKeyValueStoreBuilder(Stores.persistentVersionedKeyValueStore("v", Duration.ofMillis(60)), S, S));
      out(in(b).process(Versions::new, "v"));
    });
    TOPOLOGIES.put("processValues", b -> out(in(b).processValues(Values::new)));
    TOPOLOGIES.put("processValues before groupByKey", b -> out(in(b).processValues(Values::new).groupByKey(Grouped.with(S, S)).count(as("s", Serdes.Long())).toStream()));
  }

  static class Transform implements ValueTransformerWithKey<String, String, String> {
    public void init(org.apache.kafka.streams.processor.ProcessorContext context) { }
    public String transform(String k, String v) { return v == null ? (k.equals("a") ? "deleted" : null) : v.equals("v0") ? null : k + v; }
    public void close() { }
  }

  /** Every record changes the store and forwards all of it; so does stream time, every 30 ms. */
  static class KeyValues extends ContextualProcessor<String, String, String, String> {
    KeyValueStore<String, String> store;
    public void init(ProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("kv");
      context.schedule(Duration.ofMillis(30), PunctuationType.STREAM_TIME, now -> context.forward(new Record<>("punctuated", list(store.reverseAll()), now)));
    }
    static String list(KeyValueIterator<String, String> all) {
      StringBuilder text = new StringBuilder();
      try (all) { all.forEachRemaining(e -> text.append(e.key).append(e.value).append(" ")); }
      return text.toString();
    }
    public void process(Record<String, String> r) {
      if (r.key() == null) return;
      if (r.value() == null) {
        context().forward(r.withValue("was " + store.delete(r.key())));
      } else {
        String old = store.putIfAbsent(r.key(), r.value());
        if (old != null) store.put(r.key(), r.value().equals("v0") ? null : r.value());
        context().forward(r.withValue(old + ": " + list(store.range("a", "b")) + "| " + list(store.all())).withTimestamp(r.timestamp() + 1));
      }
    }
  }

  static class InWindows extends ContextualProcessor<String, String, String, String> {
    public void process(Record<String, String> r) {
      WindowStore<String, String> store = context().getStateStore("w");
      if (r.key() == null) return;
      store.put(r.key(), r.value(), r.timestamp());
      StringBuilder text = new StringBuilder(store.fetch(r.key(), r.timestamp()) + ":");
      try (WindowStoreIterator<String> all = store.fetch(r.key(), Math.max(0, r.timestamp() - 50), r.timestamp() + 50)) {
        all.forEachRemaining(e -> text.append(" ").append(e.key).append(e.value));
      }
      context().forward(r.withValue(text.toString()));
    }
  }

  static class InSessions extends ContextualProcessor<String, String, String, String> {
    public void process(Record<String, String> r) {
      SessionStore<String, String> store = context().getStateStore("s");
      if (r.key() == null) return;
      int length = r.value() == null ? 10 : (r.value().charAt(1) - '0') * 10;
      store.put(new Windowed<>(r.key(), new org.apache.kafka.streams.kstream.internals.SessionWindow(r.timestamp(), r.timestamp() + length)), r.value());
      StringBuilder text = new StringBuilder();
      try (KeyValueIterator<Windowed<String>, String> all = store.findSessions(r.key(), Math.max(0, r.timestamp() - 20), r.timestamp() + 20)) {
        all.forEachRemaining(e -> text.append(e.key.window().start()).append("-").append(e.key.window().end()).append(e.value).append(" "));
      }
      context().forward(r.withValue(text.toString()));
    }
  }

  static class Versions extends ContextualProcessor<String, String, String, String> {
    static String show(VersionedRecord<String> v) { return v == null ? "null" : v.value() + "@" + v.timestamp(); }
    public void process(Record<String, String> r) {
      VersionedKeyValueStore<String, String> store = context().getStateStore("v");
      if (r.key() == null) return;
      String done = "v4".equals(r.value()) ? show(store.delete(r.key(), r.timestamp())) : String.valueOf(store.put(r.key(), r.value(), r.timestamp()));
      context().forward(r.withValue(done + " " + show(store.get(r.key())) + " " + show(store.get(r.key(), r.timestamp())) + " " + show(store.get(r.key(), Math.max(0, r.timestamp() - 30)))));
    }
  }

  static class Values extends ContextualFixedKeyProcessor<String, String, String> {
    public void process(FixedKeyRecord<String, String> r) {
      if (r.value() == null) return;
      context().forward(r.withValue(r.value() + "!"));
      if (r.value().equals("v1")) context().forward(r.withValue("again").withTimestamp(r.timestamp() + 5));
    }
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
    config.put("statestore.cache.max.bytes", "0");
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
