import static java.time.Duration.ofMillis;

import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.state.Stores;

/** Versioned tables: out-of-order updates find their place, and joins look up the value as of the record's time. */
final class VersionedTopologies extends Words {
  static KTable<String, String> versioned(StreamsBuilder b, String topic, long historyMs) {
    return b.table(topic, Consumed.with(S, S),
        Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore(topic + "-versions", ofMillis(historyMs))).withKeySerde(S).withValueSerde(S));
  }

  static String both(String left, String right) { return left + "+" + right; }

  static void add() {
    Inputs table = Inputs.ofTable("table").keys("ab");
    Inputs streamAndTable = Inputs.of("in").table("table").keys("ab");
    Inputs tables = Inputs.ofTable("table").table("second").keys("ab");
    Catalog.add("versioned-table", table, b -> out(versioned(b, "table", 120)));
    Catalog.add("versioned-table-long", table, b -> out(versioned(b, "table", 2000)));
    Catalog.add("versioned-filter", table, b -> out(versioned(b, "table", 300).filter((k, v) -> digit(v) > 4)));
    Catalog.add("versioned-map-values-materialized", table, b -> out(versioned(b, "table", 300).mapValues(v -> digit(v) == 0 ? null : "m" + v, kept("m"))));
    Catalog.add("versioned-group-by", table, b -> out(versioned(b, "table", 300)
        .groupBy((k, v) -> org.apache.kafka.streams.KeyValue.pair(String.valueOf(letter(v)), v), org.apache.kafka.streams.kstream.Grouped.with("g", S, S))
        .aggregate(() -> "", (k, v, x) -> x + "+" + v, (k, v, x) -> x + "-" + v, kept("s"))));
    Catalog.add("versioned-to-table", Inputs.of("in").keys("ab"), b -> out(stream(b, "in").toTable(
        Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore("versions", ofMillis(120))).withKeySerde(S).withValueSerde(S))));
    Catalog.add("versioned-join", streamAndTable, b -> out(stream(b, "in").join(versioned(b, "table", 300), VersionedTopologies::both)));
    Catalog.add("versioned-left-join", streamAndTable, b -> out(stream(b, "in").leftJoin(versioned(b, "table", 300), VersionedTopologies::both)));
    Catalog.add("versioned-join-short", streamAndTable, b -> out(stream(b, "in").leftJoin(versioned(b, "table", 60), VersionedTopologies::both)));
    Catalog.add("versioned-join-grace", streamAndTable, b -> out(stream(b, "in").join(versioned(b, "table", 300), VersionedTopologies::both,
        Joined.with(S, S, S, "j").withGracePeriod(ofMillis(50)))));
    Catalog.add("versioned-join-lagging", Inputs.of("in").table("table").lagging(100).keys("ab"), b -> out(stream(b, "in").leftJoin(versioned(b, "table", 150), VersionedTopologies::both)));
    // Kafka Streams throws on a null key that waits for its grace.
    Catalog.add("versioned-left-join-grace", streamAndTable, b -> out(stream(b, "in").filter((k, v) -> k != null).leftJoin(versioned(b, "table", 300), VersionedTopologies::both,
        Joined.with(S, S, S, "j").withGracePeriod(ofMillis(50)))));
    Catalog.add("versioned-table-join", tables, b -> out(versioned(b, "table", 300).join(versioned(b, "second", 300), VersionedTopologies::both)));
    Catalog.add("versioned-table-left-join", tables, b -> out(versioned(b, "table", 300).leftJoin(versioned(b, "second", 300), VersionedTopologies::both)));
    Catalog.add("versioned-table-outer-join", tables, b -> out(versioned(b, "table", 300).outerJoin(versioned(b, "second", 300), VersionedTopologies::both)));
    Catalog.add("versioned-foreign-key-join", Inputs.ofTable("table").groups("groups").keys("ab"), b -> out(versioned(b, "table", 300)
        .join(versioned(b, "groups", 300), ForeignKeyTopologies::keyOf, VersionedTopologies::both, TableJoined.as("j"), kept("s"))));
  }
}
