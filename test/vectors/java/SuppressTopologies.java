import static java.time.Duration.ofMillis;

import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.Windowed;

/** Results held back: until windows close, for a time, or while there is room. */
final class SuppressTopologies extends Words {
  static Suppressed<Windowed<?>> untilClosed() {
    return Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName("held");
  }

  static void add() {
    WindowTopologies.KINDS.forEach((kind, windowing) -> {
      if (kind.equals("unlimited")) return;
      Catalog.add(kind + "-suppressed", WindowTopologies.inputs(), b ->
          outWindows(windowing.over(stream(b, "in").groupByKey()).count(WindowTopologies.counts("s")).suppress(untilClosed())));
    });
    Catalog.add("tumbling-aggregate-suppressed", WindowTopologies.inputs(), b -> outWindows(
        WindowTopologies.aggregated(WindowTopologies.KINDS.get("tumbling-grace").over(stream(b, "in").groupByKey())).suppress(untilClosed())));
    WindowTopologies.SESSIONS.forEach((kind, windows) ->
        Catalog.add(kind + "-suppressed", WindowTopologies.inputs(), b -> outWindows(
            stream(b, "in").groupByKey().windowedBy(windows).count(WindowTopologies.sessionCounts("s")).suppress(untilClosed()))));
    Catalog.add("suppress-time-limit", Inputs.ofTable("table"), b -> out(table(b, "table")
        .suppress(Suppressed.<String>untilTimeLimit(ofMillis(60), BufferConfig.unbounded()).withName("held"))));
    Catalog.add("suppress-time-limit-zero", Inputs.ofTable("table"), b -> out(table(b, "table")
        .suppress(Suppressed.<String>untilTimeLimit(ofMillis(0), BufferConfig.unbounded()).withName("held"))));
    Catalog.add("suppress-max-records", Inputs.ofTable("table"), b -> out(table(b, "table")
        .suppress(Suppressed.<String>untilTimeLimit(ofMillis(500), BufferConfig.maxRecords(2).emitEarlyWhenFull()).withName("held"))));
    Catalog.add("suppress-aggregate", Inputs.of("in"), b -> out(stream(b, "in").groupByKey().reduce((x, y) -> x + digit(y), kept("s"))
        .suppress(Suppressed.<String>untilTimeLimit(ofMillis(80), BufferConfig.maxRecords(3).emitEarlyWhenFull()).withName("held"))));
    Catalog.add("suppress-filtered", Inputs.ofTable("table"), b -> out(table(b, "table").filter((k, v) -> digit(v) > 3)
        .suppress(Suppressed.<String>untilTimeLimit(ofMillis(60), BufferConfig.unbounded()).withName("held")).mapValues(v -> v + "!")));
    Catalog.add("suppress-max-bytes", Inputs.ofTable("table"), b -> out(table(b, "table")
        .suppress(Suppressed.<String>untilTimeLimit(ofMillis(500), BufferConfig.maxBytes(150).emitEarlyWhenFull()).withName("held"))));
    Catalog.add("suppress-joined", Inputs.of("in").table("table"), b -> out(stream(b, "in").leftJoin(
        table(b, "table").suppress(Suppressed.<String>untilTimeLimit(ofMillis(60), BufferConfig.unbounded()).withName("held")), (v, r) -> v + "+" + r)));
    Catalog.add("suppress-windows-time-limit", WindowTopologies.inputs(), b -> {
      KTable<Windowed<String>, Long> counts = WindowTopologies.KINDS.get("hopping-grace").over(stream(b, "in").groupByKey()).count(WindowTopologies.counts("s"));
      outWindows(counts.suppress(Suppressed.<Windowed<String>>untilTimeLimit(ofMillis(40), BufferConfig.maxRecords(5).emitEarlyWhenFull()).withName("held")));
    });
  }
}
