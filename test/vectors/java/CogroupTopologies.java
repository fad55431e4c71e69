import static java.time.Duration.ofMillis;

import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.TimeWindows;

/** Several grouped streams into one aggregate. */
final class CogroupTopologies extends Words {
  static CogroupedKStream<String, String> cogroup(StreamsBuilder b) {
    return stream(b, "in").groupByKey().<String>cogroup((k, v, x) -> digit(v) == 9 ? null : x + digit(v))
        .cogroup(stream(b, "other").groupByKey(), (k, v, x) -> x + letter(v));
  }

  static Inputs inputs() { return Inputs.of("in").stream("other").keys("ab"); }

  static void add() {
    Catalog.add("cogroup", inputs(), b -> out(cogroup(b).aggregate(() -> "", kept("s"))));
    Catalog.add("cogroup-one", Inputs.of("in").keys("ab"), b -> out(stream(b, "in").groupByKey()
        .<String>cogroup((k, v, x) -> digit(v) < 3 ? null : x + k + digit(v)).aggregate(() -> "new", kept("s"))));
    Catalog.add("cogroup-three", Inputs.of("in").stream("other").stream("third"), b -> out(cogroup(b)
        .cogroup(stream(b, "third").groupBy((k, v) -> v == null ? null : letter(v) == 'p' ? "a" : "b", Grouped.with("g", S, S)), (k, v, x) -> x + "(" + v + ")")
        .aggregate(() -> "", kept("s"))));
    Catalog.add("cogroup-tumbling", inputs(), b -> outWindows(cogroup(b)
        .windowedBy(TimeWindows.ofSizeAndGrace(ofMillis(100), ofMillis(50))).aggregate(() -> "", keptWindows("s"))));
    Catalog.add("cogroup-tumbling-lagging", Inputs.of("in").stream("other").lagging(200).keys("ab"), b -> outWindows(cogroup(b)
        .windowedBy(TimeWindows.ofSizeAndGrace(ofMillis(100), ofMillis(50))).aggregate(() -> "", keptWindows("s"))));
    Catalog.add("cogroup-session-lagging", Inputs.of("in").stream("other").lagging(70).keys("ab"), b -> outWindows(cogroup(b)
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(ofMillis(25), ofMillis(60))).aggregate(() -> "", (k, x, y) -> x + "&" + y, keptSessions("s"))));
    Catalog.add("cogroup-hopping", inputs(), b -> outWindows(cogroup(b)
        .windowedBy(TimeWindows.ofSizeWithNoGrace(ofMillis(100)).advanceBy(ofMillis(50))).aggregate(() -> "", keptWindows("s"))));
    Catalog.add("cogroup-sliding", inputs(), b -> outWindows(cogroup(b)
        .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ofMillis(40), ofMillis(30))).aggregate(() -> "", keptWindows("s"))));
    Catalog.add("cogroup-session", inputs(), b -> outWindows(cogroup(b)
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(ofMillis(25), ofMillis(60))).aggregate(() -> "", (k, x, y) -> x + "&" + y, keptSessions("s"))));
  }
}
