import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KTable;

/** Tables, and aggregates of tables. */
final class TableTopologies extends Words {
  static void add() {
    Catalog.add("table", Inputs.ofTable("table"), b -> out(table(b, "table")));
    Catalog.add("table-reused-source", Inputs.ofTable("table"), b -> out(table(b, "table"))).optimized();
    Catalog.add("table-filter", Inputs.ofTable("table"), b -> out(table(b, "table").filter((k, v) -> digit(v) > 4)));
    Catalog.add("table-filter-materialized", Inputs.ofTable("table"), b -> out(table(b, "table").filter((k, v) -> digit(v) > 4, kept("f"))));
    Catalog.add("table-filter-not", Inputs.ofTable("table"), b -> out(table(b, "table").filterNot((k, v) -> digit(v) > 4)));
    Catalog.add("table-filter-not-materialized", Inputs.ofTable("table"), b -> out(table(b, "table").filterNot((k, v) -> digit(v) > 4, kept("f"))));
    Catalog.add("table-map-values", Inputs.ofTable("table"), b -> out(table(b, "table").mapValues((k, v) -> digit(v) == 0 ? null : k + v)));
    Catalog.add("table-map-values-materialized", Inputs.ofTable("table"), b -> out(table(b, "table").mapValues((k, v) -> digit(v) == 0 ? null : k + v, kept("m"))));
    Catalog.add("table-chain", Inputs.ofTable("table"), b -> out(table(b, "table").mapValues(v -> digit(v) == 0 ? null : "m" + digit(v))
        .filter((k, v) -> digit(v) > 3).mapValues(v -> v + "!")));
    Catalog.add("table-chain-materialized", Inputs.ofTable("table"), b -> out(table(b, "table").mapValues(v -> digit(v) == 0 ? null : "m" + digit(v), kept("m"))
        .filter((k, v) -> digit(v) > 3).filterNot((k, v) -> digit(v) > 7, kept("f"))));
    Catalog.add("table-of-a-table-stream", Inputs.ofTable("table"), b ->
        out(table(b, "table").toStream().filter((k, v) -> v == null || digit(v) > 2).toTable(kept("again")).mapValues(v -> v + "!")));
    Catalog.add("table-group-by-count", Inputs.ofTable("table"), b -> out(table(b, "table")
        .groupBy((k, v) -> KeyValue.pair(String.valueOf(letter(v)), v), Grouped.with("g", S, S)).count(AggregateTopologies.counts("s"))));
    Catalog.add("table-group-by-reduce", Inputs.ofTable("table"), b -> out(table(b, "table")
        .groupBy((k, v) -> KeyValue.pair(String.valueOf(letter(v)), "" + digit(v)), Grouped.with("g", S, S))
        .reduce((x, y) -> x + "+" + y, (x, y) -> x + "-" + y, kept("s"))));
    Catalog.add("table-group-by-aggregate", Inputs.ofTable("table"), b -> out(table(b, "table")
        .groupBy((k, v) -> KeyValue.pair(String.valueOf(letter(v)), k + digit(v)), Grouped.with("g", S, S))
        .aggregate(() -> "", (k, v, x) -> x + "+" + v, (k, v, x) -> x + "-" + v, kept("s"))));
    Catalog.add("table-group-by-to-null", Inputs.ofTable("table"), b -> out(table(b, "table")
        .groupBy((k, v) -> digit(v) == 1 ? KeyValue.pair((String) null, v) : KeyValue.pair(String.valueOf(letter(v)), digit(v) == 2 ? null : v), Grouped.with("g", S, S))
        .aggregate(() -> "", (k, v, x) -> x.length() > 12 ? null : x + "+" + v, (k, v, x) -> x.length() > 18 ? null : x + "-" + v, kept("s"))));
    Catalog.add("table-group-by-same-key", Inputs.ofTable("table"), b -> out(table(b, "table").filter((k, v) -> digit(v) != 5)
        .groupBy((k, v) -> KeyValue.pair(k, v), Grouped.with("g", S, S))
        .aggregate(() -> "", (k, v, x) -> x + "+" + v, (k, v, x) -> x + "-" + v, kept("s"))));
    Catalog.add("aggregate-group-by", Inputs.of("in"), b -> out(stream(b, "in").groupByKey().reduce((x, y) -> y, kept("latest"))
        .groupBy((k, v) -> KeyValue.pair(String.valueOf(letter(v)), v), Grouped.with("g", S, S)).count(AggregateTopologies.counts("s"))));
    // Without a cache the initializer's value is forwarded as the old value of a new key, and is subtracted.
    Catalog.add("aggregate-regrouped", Inputs.of("in").keys("ab"), b -> out(stream(b, "in").groupByKey()
        .aggregate(() -> "x0", (k, v, x) -> letter(v) + "" + (digit(x) + digit(v)) % 10, kept("latest"))
        .groupBy((k, v) -> KeyValue.pair(String.valueOf(letter(v)), v), Grouped.with("g", S, S))
        .aggregate(() -> "", (k, v, x) -> x + "+" + v, (k, v, x) -> x + "-" + v, kept("s")))).cached();
    Catalog.add("global-table", Inputs.of("in").table("global"), b -> {
      b.globalTable("global", Consumed.with(S, S), kept("global-rows"));
      out(stream(b, "in"));
    });
    Catalog.add("table-to-two-streams", Inputs.ofTable("table"), b -> {
      KTable<String, String> rows = table(b, "table");
      out(rows.filter((k, v) -> digit(v) > 4));
      to(rows.mapValues(v -> letter(v) == 'p' ? null : "m" + v).toStream(), "mapped");
    }).outputs("out", "mapped");
  }
}
