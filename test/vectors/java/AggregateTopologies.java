import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;

/** Aggregates of streams without windows. */
final class AggregateTopologies extends Words {
  static Materialized<String, Long, KeyValueStore<Bytes, byte[]>> counts(String name) {
    return Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(L);
  }

  static void add() {
    Catalog.add("count", Inputs.of("in"), b -> out(stream(b, "in").groupByKey().count(counts("s"))));
    Catalog.add("reduce", Inputs.of("in"), b -> out(stream(b, "in").groupByKey().reduce((x, y) -> x + digit(y), kept("s"))));
    Catalog.add("reduce-to-null", Inputs.of("in").keys("ab"), b -> out(stream(b, "in").groupByKey().reduce((x, y) -> digit(y) < 4 ? null : y, kept("s"))));
    Catalog.add("aggregate", Inputs.of("in"), b -> out(stream(b, "in").groupByKey().aggregate(() -> "", (k, v, x) -> x + k + digit(v), kept("s"))));
    Catalog.add("aggregate-to-null", Inputs.of("in").keys("ab"), b ->
        out(stream(b, "in").groupByKey().aggregate(() -> "new", (k, v, x) -> digit(v) < 4 ? null : x + digit(v), kept("s"))));
    Catalog.add("group-by", Inputs.of("in"), b -> out(stream(b, "in")
        .groupBy((k, v) -> v == null || digit(v) == 0 ? null : String.valueOf(letter(v)), Grouped.with("g", S, S)).count(counts("s"))));
    Catalog.add("group-by-key-after-select-key", Inputs.of("in"), b -> out(stream(b, "in")
        .selectKey((k, v) -> v == null ? k : String.valueOf(letter(v))).groupByKey(Grouped.with("g", S, S)).reduce((x, y) -> x + digit(y), kept("s"))));
    Catalog.add("group-by-key-after-map", Inputs.of("in"), b -> out(stream(b, "in")
        .map((k, v) -> KeyValue.pair(v == null ? null : String.valueOf(letter(v)), k)).groupByKey(Grouped.with("g", S, S))
        .aggregate(() -> "", (k, v, x) -> x + v, kept("s"))));
    Catalog.add("count-of-counts", Inputs.of("in"), b -> out(stream(b, "in").groupByKey().count(counts("s")).toStream()
        .selectKey((k, v) -> "n" + v % 3).groupByKey(Grouped.with("g", S, L)).count(counts("t"))));
    // Without a cache the initializer's value is forwarded as the old value of a new key.
    Catalog.add("aggregate-filter-map-values", Inputs.of("in"), b -> out(stream(b, "in").groupByKey().count(counts("s"))
        .filter((k, v) -> v % 2 == 0).mapValues(v -> v * 10))).cached();
    Catalog.add("two-aggregates-of-a-group", Inputs.of("in"), b -> {
      KGroupedStream<String, String> grouped = stream(b, "in").groupBy((k, v) -> v == null ? null : String.valueOf(letter(v)), Grouped.with("g", S, S));
      out(grouped.count(counts("s")));
      to(grouped.reduce((x, y) -> digit(x) > digit(y) ? x : y, kept("t")).toStream(), "largest");
    }).outputs("out", "largest");
    Catalog.add("aggregate-joined-with-its-source", Inputs.of("in"), b -> {
      KStream<String, String> s = stream(b, "in");
      KTable<String, String> latest = s.groupByKey().reduce((x, y) -> y, kept("s"));
      out(s.filter((k, v) -> v != null).leftJoin(latest, (v, r) -> v + "+" + r).merge(latest.toStream()));
    });
    Catalog.add("count-of-a-merge", Inputs.of("in").stream("other"), b ->
        out(stream(b, "in").filter((k, v) -> v == null || digit(v) > 2).merge(stream(b, "other")).groupByKey().count(counts("s"))));
    Catalog.add("optimized-repartitions", Inputs.of("in").groups("table"), b -> {
      KStream<String, String> byLetter = stream(b, "in").selectKey((k, v) -> v == null ? null : String.valueOf(letter(v)));
      out(byLetter.groupByKey().count(counts("s")));
      to(byLetter.groupByKey().reduce((x, y) -> x + digit(y), kept("t")).toStream(), "reduced");
      to(byLetter.leftJoin(table(b, "table").mapValues(v -> "m" + v), (v, r) -> v + "+" + r), "joined");
    }).outputs("out", "reduced", "joined").optimized();
    Catalog.add("optimized-table-join", Inputs.of("in").table("table"), b -> {
      KTable<String, String> rows = table(b, "table");
      out(stream(b, "in").join(rows.filter((k, v) -> digit(v) > 2), (v, r) -> v + "+" + r));
      to(rows.groupBy((k, v) -> KeyValue.pair(String.valueOf(letter(v)), v), Grouped.with("g", S, S)).count(counts("s")).toStream(), "counts");
    }).outputs("out", "counts").optimized();
  }
}
