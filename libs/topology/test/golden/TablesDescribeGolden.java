import java.time.Duration;
import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.api.*;
import org.apache.kafka.streams.state.*;

// Writes kafka-streams-describe-tables.txt: what Kafka Streams says of the topologies in describe-tables.spec.ts. Needs kafka-streams
// 4.3.1 on the class path.
public class TablesDescribeGolden {
  static Serde<String> S = Serdes.String();
  interface B { void b(StreamsBuilder b); }

  static void show(String name, B b) {
    StreamsBuilder sb = new StreamsBuilder();
    b.b(sb);
    System.out.println("=== " + name);
    System.out.print(sb.build().describe());
    System.out.println("=== end");
  }

  static KStream<String, String> stream(StreamsBuilder b, String topic) { return b.stream(topic, Consumed.with(S, S)); }

  static KTable<String, String> table(StreamsBuilder b) { return b.table("in", Consumed.with(S, S), Materialized.as("rows")); }

  static <V> Materialized<String, V, KeyValueStore<Bytes, byte[]>> as(String name, Serde<V> values) {
    return Materialized.<String, V, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(values);
  }

  static class P extends ContextualProcessor<String, String, String, String> { public void process(org.apache.kafka.streams.processor.api.Record<String, String> r) { } }
  static class F extends ContextualFixedKeyProcessor<String, String, String> { public void process(FixedKeyRecord<String, String> r) { } }
  static class T implements ValueTransformerWithKey<String, String, String> {
    public void init(org.apache.kafka.streams.processor.ProcessorContext c) { }
    public String transform(String k, String v) { return v; }
    public void close() { }
  }

  public static void main(String[] a) {
    Produced<String, String> p = Produced.with(S, S);
    show("toTable", b -> {
      stream(b, "a").toTable(as("t", S)).toStream().to("out", p);
      stream(b, "b").selectKey((k, v) -> v).toTable(Named.as("u"), as("u", S)).toStream((k, v) -> v).to("out2", p);
    });
    show("table groupBy", b -> {
      KTable<String, String> t = table(b);
      KGroupedTable<String, String> g = t.groupBy((k, v) -> KeyValue.pair(v, k), Grouped.with("g", S, S));
      g.count(as("counts", Serdes.Long())).toStream().to("out", Produced.with(S, Serdes.Long()));
      g.reduce((x, y) -> x, (x, y) -> x, Named.as("named"), as("reduced", S)).toStream().to("out2", p);
      t.groupBy((k, v) -> KeyValue.pair(v, k), Grouped.with(S, S)).aggregate(() -> "", (k, v, x) -> x, (k, v, x) -> x, as("aggregated", S)).toStream().to("out3", p);
    });
    show("cogroup", b -> stream(b, "a").groupByKey().<String>cogroup((k, v, x) -> x).cogroup(stream(b, "b").groupBy((k, v) -> v, Grouped.with("g", S, S)), (k, v, x) -> x)
        .aggregate(() -> "", as("c", S)).toStream().to("out", p));
    show("cogroup named", b -> stream(b, "a").groupByKey().<String>cogroup((k, v, x) -> x).cogroup(stream(b, "b").groupByKey(), (k, v, x) -> x)
        .aggregate(() -> "", Named.as("both"), as("c", S)).toStream().to("out", p));
    show("cogroup in windows", b -> stream(b, "a").groupByKey().<String>cogroup((k, v, x) -> x).windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(1)))
        .aggregate(() -> "", Materialized.<String, String, WindowStore<Bytes, byte[]>>as("c").withValueSerde(S)).toStream().foreach((k, v) -> { }));
    show("transformValues", b -> table(b).<String>transformValues(T::new, as("t", S)).toStream().to("out", p));
    show("process", b -> {
      b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("kv"), S, S));
      b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("shared"), S, S));
      stream(b, "a").process(P::new, Named.as("first"), "kv", "shared").groupByKey(Grouped.with("g", S, S)).count(as("counts", Serdes.Long()));
      stream(b, "b").processValues(F::new, "shared").groupByKey(Grouped.with(S, S)).count(as("counts-too", Serdes.Long()));
    });
  }
}
