import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KTable;

/** Joins of tables by their own key. */
final class TableJoinTopologies extends Words {
  static String both(String left, String right) { return left + "+" + right; }

  static String bothOrNull(String left, String right) { return left != null && digit(left) == 0 ? null : left + "+" + right; }

  static Inputs inputs() { return Inputs.ofTable("table").table("second"); }

  static void add() {
    Catalog.add("table-join", inputs(), b -> out(table(b, "table").join(table(b, "second"), TableJoinTopologies::both)));
    Catalog.add("table-left-join", inputs(), b -> out(table(b, "table").leftJoin(table(b, "second"), TableJoinTopologies::both)));
    Catalog.add("table-outer-join", inputs(), b -> out(table(b, "table").outerJoin(table(b, "second"), TableJoinTopologies::both)));
    Catalog.add("table-join-materialized", inputs(), b -> out(table(b, "table").join(table(b, "second"), TableJoinTopologies::bothOrNull, kept("j"))));
    Catalog.add("table-left-join-materialized", inputs(), b -> out(table(b, "table").leftJoin(table(b, "second"), TableJoinTopologies::bothOrNull, kept("j"))));
    Catalog.add("table-outer-join-materialized", inputs(), b -> out(table(b, "table").outerJoin(table(b, "second"), TableJoinTopologies::bothOrNull, kept("j"))));
    Catalog.add("table-join-filtered", inputs(), b -> out(table(b, "table").filter((k, v) -> digit(v) > 3)
        .join(table(b, "second").mapValues(v -> digit(v) == 0 ? null : "m" + v), TableJoinTopologies::both).filter((k, v) -> !v.endsWith("5"))));
    Catalog.add("table-join-chain", Inputs.ofTable("table").table("second").table("third").keys("ab"), b -> out(table(b, "table")
        .join(table(b, "second"), TableJoinTopologies::both).leftJoin(table(b, "third"), TableJoinTopologies::both)));
    Catalog.add("table-outer-join-chain", Inputs.ofTable("table").table("second").table("third").keys("ab"), b -> out(table(b, "table")
        .outerJoin(table(b, "second"), TableJoinTopologies::both).outerJoin(table(b, "third"), TableJoinTopologies::both)));
    Catalog.add("table-join-chain-materialized", Inputs.ofTable("table").table("second").table("third").keys("ab"), b -> out(table(b, "table")
        .leftJoin(table(b, "second"), TableJoinTopologies::bothOrNull, kept("j")).outerJoin(table(b, "third"), TableJoinTopologies::both)));
    Catalog.add("table-self-join", Inputs.ofTable("table"), b -> {
      KTable<String, String> rows = table(b, "table");
      out(rows.join(rows.mapValues(v -> digit(v) > 5 ? null : "m" + v), TableJoinTopologies::both));
    });
    Catalog.add("table-join-group-by", inputs(), b -> out(table(b, "table").leftJoin(table(b, "second"), TableJoinTopologies::both)
        .groupBy((k, v) -> KeyValue.pair(String.valueOf(letter(v)), v), Grouped.with("g", S, S))
        .aggregate(() -> "", (k, v, x) -> x + " +" + v, (k, v, x) -> x + " -" + v, kept("s"))));
    Catalog.add("table-join-aggregate", Inputs.of("in").table("table"), b -> out(stream(b, "in").groupByKey().reduce((x, y) -> y, kept("s"))
        .outerJoin(table(b, "table"), TableJoinTopologies::both)));
  }
}
