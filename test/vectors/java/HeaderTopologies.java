import static java.time.Duration.ofMillis;

import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.PunctuationType;

/** Which headers results have that do not come of one record alone. */
final class HeaderTopologies extends Words {
  static String both(String left, String right) { return left + "+" + right; }

  static TimeWindowedKStream<String, String> windows(KStream<String, String> stream) {
    return stream.groupByKey().windowedBy(TimeWindows.ofSizeAndGrace(ofMillis(100), ofMillis(50)));
  }

  static void add() {
    Inputs one = Inputs.of("in").keys("ab");
    Inputs two = Inputs.of("in").stream("other").keys("ab");
    Inputs streamAndTable = Inputs.of("in").table("table");
    Catalog.add("headers-aggregate", one, b -> out(stream(b, "in").groupByKey().count(AggregateTopologies.counts("s")))).headers();
    Catalog.add("headers-group-by", one, b -> out(stream(b, "in")
        .groupBy((k, v) -> v == null ? null : String.valueOf(letter(v)), Grouped.with("g", S, S)).reduce((x, y) -> x + digit(y), kept("s")))).headers();
    Catalog.add("headers-table", Inputs.ofTable("table"), b -> out(table(b, "table").filter((k, v) -> digit(v) > 4).mapValues(v -> v + "!", kept("m")))).headers();
    Catalog.add("headers-table-group-by", Inputs.ofTable("table"), b -> out(table(b, "table")
        .groupBy((k, v) -> KeyValue.pair(String.valueOf(letter(v)), v), Grouped.with("g", S, S)).count(AggregateTopologies.counts("s")))).headers();
    Catalog.add("headers-windows", one, b -> outWindows(windows(stream(b, "in")).count(WindowTopologies.counts("s")))).headers();
    Catalog.add("headers-windows-on-close", one, b -> outWindows(
        WindowTopologies.countedOnClose(windows(stream(b, "in"))))).headers();
    Catalog.add("headers-windows-suppressed", one, b -> outWindows(
        windows(stream(b, "in")).count(WindowTopologies.counts("s")).suppress(SuppressTopologies.untilClosed()))).headers();
    Catalog.add("headers-suppress", Inputs.ofTable("table"), b -> out(table(b, "table")
        .suppress(Suppressed.<String>untilTimeLimit(ofMillis(60), BufferConfig.maxRecords(2).emitEarlyWhenFull()).withName("held")))).headers();
    Catalog.add("headers-sessions-on-close", one, b -> outWindows(stream(b, "in").groupByKey()
        .windowedBy(WindowTopologies.SESSIONS.get("session-grace")).emitStrategy(EmitStrategy.onWindowClose()).count(WindowTopologies.sessionCounts("s")))).headers();
    Catalog.add("headers-stream-outer-join", two, b -> out(stream(b, "in").outerJoin(stream(b, "other"), HeaderTopologies::both,
        JoinWindows.ofTimeDifferenceAndGrace(ofMillis(40), ofMillis(60)), StreamJoinTopologies.joined("j")))).headers();
    Catalog.add("headers-stream-table-join", streamAndTable, b -> out(stream(b, "in").leftJoin(table(b, "table"), HeaderTopologies::both))).headers();
    Catalog.add("headers-table-join", TableJoinTopologies.inputs(), b -> out(table(b, "table").outerJoin(table(b, "second"), HeaderTopologies::both))).headers();
    Catalog.add("headers-foreign-key-join", ForeignKeyTopologies.inputs(), b -> out(table(b, "table")
        .leftJoin(table(b, "groups"), ForeignKeyTopologies::keyOf, HeaderTopologies::both, TableJoined.as("j"), kept("s")))).headers();
    Catalog.add("headers-join-grace", Inputs.of("in").table("table").keys("ab"), b -> out(stream(b, "in").join(VersionedTopologies.versioned(b, "table", 300),
        HeaderTopologies::both, Joined.with(S, S, S, "j").withGracePeriod(ofMillis(50))))).headers();
    Catalog.add("headers-cogroup", two, b -> out(CogroupTopologies.cogroup(b).aggregate(() -> "", kept("s")))).headers();
    Catalog.add("headers-punctuator", Inputs.of("in"), b -> {
      b.addStateStore(ProcessTopologies.store("s"));
      out(stream(b, "in").process(() -> new ProcessTopologies.Flush(PunctuationType.STREAM_TIME, 50), "s"));
    }).headers();
    Catalog.add("headers-merge", two, b -> out(stream(b, "in").merge(stream(b, "other").mapValues(v -> v == null ? null : v + "!")))).headers();
  }
}
