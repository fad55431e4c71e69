import org.apache.kafka.streams.kstream.TableJoined;

/** Joins of tables by a key found in the left value: its first letter. */
final class ForeignKeyTopologies extends Words {
  static String both(String left, String right) { return left + "+" + right; }

  static String keyOf(String value) { return digit(value) == 0 ? null : String.valueOf(letter(value)); }

  static Inputs inputs() { return Inputs.ofTable("table").groups("groups"); }

  static void add() {
    Catalog.add("foreign-key-join", inputs(), b -> out(table(b, "table")
        .join(table(b, "groups"), ForeignKeyTopologies::keyOf, ForeignKeyTopologies::both, TableJoined.as("j"), kept("s"))));
    Catalog.add("foreign-key-left-join", inputs(), b -> out(table(b, "table")
        .leftJoin(table(b, "groups"), ForeignKeyTopologies::keyOf, ForeignKeyTopologies::both, TableJoined.as("j"), kept("s"))));
    Catalog.add("foreign-key-join-not-materialized", inputs(), b -> out(table(b, "table")
        .join(table(b, "groups"), ForeignKeyTopologies::keyOf, ForeignKeyTopologies::both, TableJoined.as("j"))));
    Catalog.add("foreign-key-left-join-not-materialized", inputs(), b -> out(table(b, "table")
        .leftJoin(table(b, "groups"), ForeignKeyTopologies::keyOf, ForeignKeyTopologies::both, TableJoined.as("j"))));
    Catalog.add("foreign-key-join-by-key", inputs(), b -> out(table(b, "table")
        .join(table(b, "groups"), (k, v) -> k.equals("a") ? "p" : String.valueOf(letter(v)),
            (l, r) -> digit(r) == 0 ? null : l + "+" + r, TableJoined.as("j"), kept("s"))));
    Catalog.add("foreign-key-join-filtered", inputs(), b -> out(table(b, "table").filter((k, v) -> digit(v) > 2)
        .leftJoin(table(b, "groups").filter((k, v) -> digit(v) < 7, kept("f")), ForeignKeyTopologies::keyOf, ForeignKeyTopologies::both, TableJoined.as("j"), kept("s"))));
    Catalog.add("foreign-key-join-chain", Inputs.ofTable("table").groups("groups").table("third"), b -> out(table(b, "table")
        .join(table(b, "groups"), ForeignKeyTopologies::keyOf, ForeignKeyTopologies::both, TableJoined.as("j"), kept("s"))
        .leftJoin(table(b, "third"), v -> digit(v) > 5 ? "a" : "b", ForeignKeyTopologies::both, TableJoined.as("k"), kept("t"))));
  }
}
