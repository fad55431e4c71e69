import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** The words that topologies are drawn with. */
class Words {
  static final Serde<String> S = Serdes.String();
  static final Serde<Long> L = Serdes.Long();

  static KStream<String, String> stream(StreamsBuilder builder, String topic) { return builder.stream(topic, Consumed.with(S, S)); }

  static KTable<String, String> table(StreamsBuilder builder, String topic) {
    return builder.table(topic, Consumed.with(S, S), kept(topic + "-rows"));
  }

  static Materialized<String, String, KeyValueStore<Bytes, byte[]>> kept(String name) {
    return Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(S);
  }

  static Materialized<String, String, WindowStore<Bytes, byte[]>> keptWindows(String name) {
    return Materialized.<String, String, WindowStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(S);
  }

  static Materialized<String, String, SessionStore<Bytes, byte[]>> keptSessions(String name) {
    return Materialized.<String, String, SessionStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(S);
  }

  static void out(KStream<String, ?> results) { to(results, "out"); }

  static void out(KTable<String, ?> results) { out(results.toStream()); }

  static void to(KStream<String, ?> results, String topic) {
    results.mapValues(value -> value == null ? null : value.toString()).to(topic, Produced.with(S, S));
  }

  static void outWindows(KTable<Windowed<String>, ?> results) {
    out(results.toStream().map((windowed, value) -> KeyValue.pair(shown(windowed), value)));
  }

  /** `a[100,200)` of a window, and of a session too, whose end is its last record's. */
  static String shown(Windowed<String> windowed) {
    return windowed.key() + "[" + windowed.window().start() + "," + windowed.window().end() + ")";
  }

  /** `-` of null, which windowed aggregates show to their functions. */
  static char letter(String value) { return value == null ? '-' : value.charAt(0); }

  /** -1 of null. */
  static int digit(String value) { return value == null ? -1 : value.charAt(1) - '0'; }
}
