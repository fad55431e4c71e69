import static java.time.Duration.ofDays;
import static java.time.Duration.ofMillis;

import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.UnlimitedWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** Windows × aggregates × grace, emitted on update and on close. */
final class WindowTopologies extends Words {
  interface Windowing { TimeWindowedKStream<String, String> over(KGroupedStream<String, String> grouped); }

  static final Map<String, Windowing> KINDS = new TreeMap<>(Map.of(
      "tumbling", g -> g.windowedBy(TimeWindows.ofSizeWithNoGrace(ofMillis(100))),
      "tumbling-grace", g -> g.windowedBy(TimeWindows.ofSizeAndGrace(ofMillis(100), ofMillis(50))),
      "hopping", g -> g.windowedBy(TimeWindows.ofSizeWithNoGrace(ofMillis(100)).advanceBy(ofMillis(40))),
      "hopping-grace", g -> g.windowedBy(TimeWindows.ofSizeAndGrace(ofMillis(100), ofMillis(50)).advanceBy(ofMillis(30))),
      "sliding", g -> g.windowedBy(SlidingWindows.ofTimeDifferenceWithNoGrace(ofMillis(50))),
      "sliding-grace", g -> g.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ofMillis(50), ofMillis(60))),
      "unlimited", g -> g.windowedBy(UnlimitedWindows.of().startOn(Instant.ofEpochMilli(1050)))));

  static final Map<String, SessionWindows> SESSIONS = new TreeMap<>(Map.of(
      "session", SessionWindows.ofInactivityGapWithNoGrace(ofMillis(25)),
      "session-grace", SessionWindows.ofInactivityGapAndGrace(ofMillis(25), ofMillis(60))));

  static Materialized<String, Long, WindowStore<Bytes, byte[]>> counts(String name) {
    return Materialized.<String, Long, WindowStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(L);
  }

  static Materialized<String, Long, SessionStore<Bytes, byte[]>> sessionCounts(String name) {
    return Materialized.<String, Long, SessionStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(L);
  }

  static KTable<Windowed<String>, String> reduced(TimeWindowedKStream<String, String> windowed, String store) {
    return windowed.reduce((x, y) -> digit(y) == 9 ? null : x + digit(y), keptWindows(store));
  }

  static KTable<Windowed<String>, String> aggregated(TimeWindowedKStream<String, String> windowed) {
    return windowed.aggregate(() -> "", (k, v, x) -> digit(v) == 9 ? null : x + k + digit(v), keptWindows("s"));
  }

  static KTable<Windowed<String>, String> aggregated(SessionWindowedKStream<String, String> windowed) {
    return windowed.aggregate(() -> "", (k, v, x) -> digit(v) == 9 ? null : x + digit(v), (k, x, y) -> x + "&" + y, keptSessions("s"));
  }

  // Windows kept longer than by default: Kafka Streams loses the results of those that leave the store before they are emitted, as they do
  // when time moves by more than the retention at once. Not so sessions; kept longer, they would take up records after they were emitted.

  static KTable<Windowed<String>, Long> countedOnClose(TimeWindowedKStream<String, String> windowed) {
    return windowed.emitStrategy(EmitStrategy.onWindowClose()).count(counts("s").withRetention(ofDays(1)));
  }

  static KTable<Windowed<String>, String> aggregatedOnClose(TimeWindowedKStream<String, String> windowed) {
    return windowed.emitStrategy(EmitStrategy.onWindowClose())
        .aggregate(() -> "", (k, v, x) -> digit(v) == 9 ? null : x + k + digit(v), keptWindows("s").withRetention(ofDays(1)));
  }

  static KTable<Windowed<String>, Long> countedOnClose(SessionWindowedKStream<String, String> windowed) {
    return windowed.emitStrategy(EmitStrategy.onWindowClose()).count(sessionCounts("s"));
  }

  static KTable<Windowed<String>, String> aggregatedOnClose(SessionWindowedKStream<String, String> windowed) {
    return windowed.emitStrategy(EmitStrategy.onWindowClose())
        .aggregate(() -> "", (k, v, x) -> digit(v) == 9 ? null : x + digit(v), (k, x, y) -> x + "&" + y, keptSessions("s"));
  }

  static Inputs inputs() { return Inputs.of("in").keys("ab"); }

  static void add() {
    KINDS.forEach((kind, windowing) -> {
      Catalog.add(kind + "-count", inputs(), b -> outWindows(windowing.over(stream(b, "in").groupByKey()).count(counts("s"))));
      Catalog.add(kind + "-reduce", inputs(), b -> outWindows(reduced(windowing.over(stream(b, "in").groupByKey()), "s")));
      Catalog.add(kind + "-aggregate", inputs(), b -> outWindows(aggregated(windowing.over(stream(b, "in").groupByKey()))));
      if (kind.equals("unlimited")) return;
      Catalog.add(kind + "-count-on-close", inputs(), b -> outWindows(countedOnClose(windowing.over(stream(b, "in").groupByKey()))));
      Catalog.add(kind + "-aggregate-on-close", inputs(), b -> outWindows(aggregatedOnClose(windowing.over(stream(b, "in").groupByKey()))));
    });
    SESSIONS.forEach((kind, windows) -> {
      Catalog.add(kind + "-count", inputs(), b -> outWindows(stream(b, "in").groupByKey().windowedBy(windows).count(sessionCounts("s"))));
      Catalog.add(kind + "-reduce", inputs(), b -> outWindows(stream(b, "in").groupByKey().windowedBy(windows).reduce((x, y) -> x + digit(y), keptSessions("s"))));
      Catalog.add(kind + "-aggregate", inputs(), b -> outWindows(aggregated(stream(b, "in").groupByKey().windowedBy(windows))));
      Catalog.add(kind + "-count-on-close", inputs(), b -> outWindows(countedOnClose(stream(b, "in").groupByKey().windowedBy(windows))));
      Catalog.add(kind + "-aggregate-on-close", inputs(), b -> outWindows(aggregatedOnClose(stream(b, "in").groupByKey().windowedBy(windows))));
    });
    Catalog.add("session-kept-longer", inputs(), b -> outWindows(
        stream(b, "in").groupByKey().windowedBy(SESSIONS.get("session-grace")).count(sessionCounts("s").withRetention(ofDays(1)))));
    Catalog.add("tumbling-after-group-by", inputs(), b -> outWindows(KINDS.get("tumbling-grace")
        .over(stream(b, "in").groupBy((k, v) -> v == null ? null : String.valueOf(letter(v)), Grouped.with("g", S, S))).count(counts("s"))));
    // Without a cache the initializer's value is forwarded as the old value of a new key.
    Catalog.add("tumbling-filter-map-values", inputs(), b -> outWindows(KINDS.get("tumbling-grace").over(stream(b, "in").groupByKey()).count(counts("s"))
        .filter((k, v) -> v % 2 == 0).mapValues((k, v) -> k.window().start() + v))).cached();
    Catalog.add("count-of-tumbling", inputs(), b -> out(KINDS.get("tumbling-grace").over(stream(b, "in").groupByKey()).count(counts("s"))
        .toStream((k, v) -> k.key() + v).groupByKey(Grouped.with("g", S, L)).count(AggregateTopologies.counts("t"))));
    Catalog.add("windowed-table-join", Inputs.of("in").stream("other").keys("ab"), b -> outWindows(
        KINDS.get("tumbling-grace").over(stream(b, "in").groupByKey()).reduce((x, y) -> x + digit(y), keptWindows("s"))
            .outerJoin(reduced(KINDS.get("tumbling").over(stream(b, "other").groupByKey()), "t"), (x, y) -> x + "+" + y)));
    // Without a cache the initializer's value is forwarded as the old value of a new window, and is subtracted.
    Catalog.add("windowed-table-group-by", inputs(), b -> out(aggregated(KINDS.get("tumbling-grace").over(stream(b, "in").groupByKey()))
        .groupBy((k, v) -> KeyValue.pair(k.key(), v), Grouped.with("g", S, S))
        .aggregate(() -> "", (k, v, x) -> x + "+" + v, (k, v, x) -> x + "-" + v, kept("t")))).cached();
    Catalog.add("two-window-sizes", inputs(), b -> {
      KGroupedStream<String, String> grouped = stream(b, "in").groupByKey();
      outWindows(KINDS.get("tumbling-grace").over(grouped).count(counts("s")));
      to(KINDS.get("hopping").over(grouped).count(counts("t")).toStream().map((k, v) -> KeyValue.pair(shown(k), v)), "hopping");
    }).outputs("out", "hopping");
  }
}
