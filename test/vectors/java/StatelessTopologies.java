import java.util.List;
import java.util.Map;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;

/** Operators without state, sources and sinks. */
final class StatelessTopologies extends Words {
  static void add() {
    Catalog.add("filter", Inputs.of("in"), b -> out(stream(b, "in").filter((k, v) -> v != null && digit(v) > 4)));
    Catalog.add("filter-by-key", Inputs.of("in"), b -> out(stream(b, "in").filter((k, v) -> k != null && !k.equals("a"))));
    Catalog.add("filter-not", Inputs.of("in"), b -> out(stream(b, "in").filterNot((k, v) -> v == null || digit(v) > 4)));
    Catalog.add("map", Inputs.of("in"), b -> out(stream(b, "in").map((k, v) -> KeyValue.pair(v, k))));
    Catalog.add("map-values", Inputs.of("in"), b -> out(stream(b, "in").mapValues((k, v) -> v == null ? "none" : digit(v) == 0 ? null : k + v)));
    Catalog.add("flat-map", Inputs.of("in"), b -> out(stream(b, "in").flatMap((k, v) ->
        v == null ? List.of() : List.of(KeyValue.pair(k, v), KeyValue.pair(v, k), KeyValue.pair((String) null, (String) null)))));
    Catalog.add("flat-map-values", Inputs.of("in"), b -> out(stream(b, "in").flatMapValues(v -> v == null ? List.of() : List.of(v, v + "!"))));
    Catalog.add("select-key", Inputs.of("in"), b -> out(stream(b, "in").selectKey((k, v) -> v == null ? null : k + letter(v))));
    Catalog.add("peek", Inputs.of("in"), b -> out(stream(b, "in").peek((k, v) -> Catalog.EFFECTS.add(k + "," + v)).filter((k, v) -> v != null)));
    Catalog.add("foreach", Inputs.of("in"), b -> stream(b, "in").foreach((k, v) -> Catalog.EFFECTS.add(k + "," + v)));
    Catalog.add("merge", Inputs.of("in").stream("other"), b -> out(stream(b, "in").mapValues(v -> "1" + v).merge(stream(b, "other"))));
    Catalog.add("several-topics", Inputs.of("in").stream("other"), b -> out(b.stream(List.of("in", "other"), Consumed.with(S, S))));
    Catalog.add("split", Inputs.of("in"), b -> {
      Map<String, KStream<String, String>> branches = stream(b, "in").split(Named.as("x-"))
          .branch((k, v) -> v == null, Branched.as("none")).branch((k, v) -> digit(v) > 3, Branched.as("big")).defaultBranch(Branched.as("rest"));
      out(branches.get("x-none").mapValues(v -> "none").merge(branches.get("x-rest")));
      to(branches.get("x-big"), "big");
    }).outputs("out", "big");
    Catalog.add("split-no-default", Inputs.of("in"), b -> {
      Map<String, KStream<String, String>> branches = stream(b, "in").split(Named.as("x-"))
          .branch((k, v) -> v != null && digit(v) > 6, Branched.as("big")).branch((k, v) -> v != null && digit(v) > 2, Branched.as("middle")).noDefaultBranch();
      out(branches.get("x-big"));
      to(branches.get("x-middle"), "middle");
    }).outputs("out", "middle");
    Catalog.add("to-chosen-topic", Inputs.of("in"), b ->
        stream(b, "in").to((k, v, context) -> v == null ? "out" : "out-" + letter(v), Produced.with(S, S))).outputs("out", "out-p", "out-q", "out-r");
    Catalog.add("repartition", Inputs.of("in"), b -> out(stream(b, "in").repartition(Repartitioned.<String, String>as("again").withKeySerde(S).withValueSerde(S))));
    Catalog.add("repartition-after-select-key", Inputs.of("in"), b -> out(stream(b, "in").selectKey((k, v) -> v)
        .repartition(Repartitioned.<String, String>as("again").withKeySerde(S).withValueSerde(S)).mapValues((k, v) -> k + v)));
    Catalog.add("headers", Inputs.of("in"), b -> {
      KStream<String, String> s = stream(b, "in");
      out(s.filter((k, v) -> v != null).flatMapValues(v -> List.of(v, v + "!")));
      to(s.selectKey((k, v) -> v).repartition(Repartitioned.<String, String>as("again").withKeySerde(S).withValueSerde(S)), "again");
    }).outputs("out", "again").headers();
    Catalog.add("timestamp-extractor", Inputs.of("in"), b -> out(b.stream("in",
        Consumed.with(S, S).withTimestampExtractor((record, partitionTime) ->
            record.value() == null ? Math.max(partitionTime, 7) : record.timestamp() + 1000 * digit((String) record.value())))));
    Catalog.add("to-table", Inputs.of("in"), b -> out(stream(b, "in").toTable(kept("latest"))));
    Catalog.add("to-table-after-select-key", Inputs.of("in"), b -> out(stream(b, "in").filter((k, v) -> v != null)
        .map((k, v) -> KeyValue.pair(String.valueOf(letter(v)), digit(v) == 0 ? null : k + v)).toTable(Named.as("latest-by-letter"), kept("latest"))));
    Catalog.add("stateless-chain", Inputs.of("in"), b -> out(stream(b, "in").filter((k, v) -> v != null)
        .flatMapValues(v -> digit(v) == 1 ? List.of() : List.of(v, v + "!"))
        .map((k, v) -> KeyValue.pair(v, k)).flatMap((k, v) -> List.of(KeyValue.pair(v, k), KeyValue.pair(k, v)))
        .filterNot((k, v) -> k != null && k.endsWith("!")).selectKey((k, v) -> v).mapValues((k, v) -> v + k)));
  }
}
