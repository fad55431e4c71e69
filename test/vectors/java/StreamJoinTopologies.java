import static java.time.Duration.ofMillis;

import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.StreamJoined;

/** Joins of streams: with streams, tables and global tables. */
final class StreamJoinTopologies extends Words {
  static final Map<String, JoinWindows> WINDOWS = new TreeMap<>(Map.of(
      "", JoinWindows.ofTimeDifferenceWithNoGrace(ofMillis(40)),
      "-grace", JoinWindows.ofTimeDifferenceAndGrace(ofMillis(40), ofMillis(60)),
      "-before", JoinWindows.ofTimeDifferenceAndGrace(ofMillis(0), ofMillis(20)).before(ofMillis(50)),
      "-after", JoinWindows.ofTimeDifferenceAndGrace(ofMillis(0), ofMillis(20)).after(ofMillis(50)),
      "-asymmetric", JoinWindows.ofTimeDifferenceAndGrace(ofMillis(20), ofMillis(30)).after(ofMillis(60))));

  static StreamJoined<String, String, String> joined(String name) {
    return StreamJoined.with(S, S, S).withName(name).withStoreName(name);
  }

  static String both(String left, String right) { return left + "+" + right; }

  static Inputs inputs() { return Inputs.of("in").stream("other").keys("ab").length(26); }

  static void add() {
    WINDOWS.forEach((kind, windows) -> {
      Catalog.add("stream-join" + kind, inputs(), b -> out(stream(b, "in").join(stream(b, "other"), StreamJoinTopologies::both, windows, joined("j"))));
      Catalog.add("stream-left-join" + kind, inputs(), b -> out(stream(b, "in").leftJoin(stream(b, "other"), StreamJoinTopologies::both, windows, joined("j"))));
      Catalog.add("stream-outer-join" + kind, inputs(), b -> out(stream(b, "in").outerJoin(stream(b, "other"), StreamJoinTopologies::both, windows, joined("j"))));
    });
    JoinWindows windows = WINDOWS.get("-grace");
    Catalog.add("stream-self-join", Inputs.of("in").keys("ab").length(24), b -> {
      KStream<String, String> s = stream(b, "in");
      out(s.join(s, StreamJoinTopologies::both, windows, joined("j")));
    });
    Catalog.add("stream-join-with-key", inputs(), b -> out(stream(b, "in").join(stream(b, "other"), (k, l, r) -> k + l + r, windows, joined("j"))));
    Catalog.add("stream-join-after-select-key", inputs(), b -> out(stream(b, "in").selectKey((k, v) -> v == null ? null : String.valueOf(letter(v)))
        .join(stream(b, "other").map((k, v) -> KeyValue.pair(v == null ? k : String.valueOf(letter(v)), v)), StreamJoinTopologies::both, windows, joined("j"))));
    Catalog.add("stream-left-join-after-select-key", inputs(), b -> out(stream(b, "in").selectKey((k, v) -> v == null ? null : String.valueOf(letter(v)))
        .leftJoin(stream(b, "other").selectKey((k, v) -> v == null ? null : String.valueOf(letter(v))), StreamJoinTopologies::both, windows, joined("j"))));
    Catalog.add("stream-join-chain", Inputs.of("in").stream("other").stream("third").keys("ab").length(26), b -> out(stream(b, "in")
        .leftJoin(stream(b, "other"), StreamJoinTopologies::both, windows, joined("j")).join(stream(b, "third"), StreamJoinTopologies::both, windows, joined("k"))));
    Inputs lagging = Inputs.of("in").stream("other").lagging(90).keys("ab").length(26);
    Catalog.add("stream-join-lagging", lagging, b -> out(stream(b, "in").join(stream(b, "other"), StreamJoinTopologies::both, windows, joined("j"))));
    Catalog.add("stream-left-join-lagging", lagging, b -> out(stream(b, "in").leftJoin(stream(b, "other"), StreamJoinTopologies::both, windows, joined("j"))));
    Catalog.add("stream-outer-join-lagging", lagging, b -> out(stream(b, "in").outerJoin(stream(b, "other"), StreamJoinTopologies::both, windows, joined("j"))));
    Catalog.add("stream-outer-join-to-null", inputs(), b -> out(stream(b, "in")
        .outerJoin(stream(b, "other"), (l, r) -> r == null ? null : both(l, r), windows, joined("j"))));

    Inputs withTable = Inputs.of("in").table("table");
    Catalog.add("stream-table-join", withTable, b -> out(stream(b, "in").join(table(b, "table"), StreamJoinTopologies::both)));
    Catalog.add("stream-table-join-with-key", withTable, b -> out(stream(b, "in").join(table(b, "table"), (k, l, r) -> digit(l) == 0 ? null : k + l + r)));
    Catalog.add("stream-table-left-join", withTable, b -> out(stream(b, "in").leftJoin(table(b, "table"), StreamJoinTopologies::both)));
    Catalog.add("stream-table-join-after-select-key", Inputs.of("in").groups("table"), b -> out(stream(b, "in")
        .selectKey((k, v) -> v == null ? null : String.valueOf(letter(v))).join(table(b, "table"), StreamJoinTopologies::both, Joined.with(S, S, S, "j"))));
    Catalog.add("stream-table-left-join-after-map", Inputs.of("in").groups("table"), b -> out(stream(b, "in")
        .map((k, v) -> KeyValue.pair(v == null || digit(v) == 1 ? null : String.valueOf(letter(v)), v))
        .leftJoin(table(b, "table"), StreamJoinTopologies::both, Joined.with(S, S, S, "j"))));
    Catalog.add("stream-table-left-join-filtered", withTable, b -> out(stream(b, "in")
        .leftJoin(table(b, "table").filter((k, v) -> digit(v) > 2).mapValues(v -> "m" + v), StreamJoinTopologies::both)));
    Catalog.add("stream-join-with-aggregate", Inputs.of("in"), b -> {
      KStream<String, String> s = stream(b, "in");
      out(s.join(s.groupByKey().count(AggregateTopologies.counts("s")), (v, n) -> v + "+" + n));
    });

    Inputs withGlobal = Inputs.of("in").groups("global");
    Catalog.add("global-join", withGlobal, b -> out(stream(b, "in")
        .join(global(b), (k, v) -> v == null ? null : String.valueOf(letter(v)), StreamJoinTopologies::both)));
    Catalog.add("global-left-join", withGlobal, b -> out(stream(b, "in")
        .leftJoin(global(b), (k, v) -> v == null ? null : String.valueOf(letter(v)), StreamJoinTopologies::both)));
    Catalog.add("global-join-by-key", Inputs.of("in").table("global"), b -> out(stream(b, "in").join(global(b), (k, v) -> k, (k, l, r) -> k + l + r)));
    Catalog.add("global-left-join-by-key", Inputs.of("in").table("global"), b -> out(stream(b, "in").leftJoin(global(b), (k, v) -> k, (k, l, r) -> k + l + r)));
  }

  static GlobalKTable<String, String> global(org.apache.kafka.streams.StreamsBuilder b) {
    return b.globalTable("global", Consumed.with(S, S), kept("global-rows"));
  }
}
