import java.time.Duration;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.*;

// Writes kafka-streams-describe-joins.txt: what Kafka Streams says of the topologies in describe-joins.spec.ts. Needs kafka-streams 4.3.1
// on the class path.
public class JoinsDescribeGolden {
  static final Serde<String> S = Serdes.String();
  interface Draw { void draw(StreamsBuilder b); }
  static String plus(String a, String b) { return a + b; }

  static void show(String name, Draw draw) {
    StreamsBuilder b = new StreamsBuilder();
    draw.draw(b);
    System.out.println("=== " + name);
    System.out.print(b.build().describe().toString());
    System.out.println("=== end");
  }

  static KStream<String, String> stream(StreamsBuilder b, String topic) { return b.stream(topic, Consumed.with(S, S)); }
  static KTable<String, String> table(StreamsBuilder b, String topic) { return b.table(topic, Consumed.with(S, S), Materialized.as(topic + "-rows")); }
  static Materialized<String, String, KeyValueStore<Bytes, byte[]>> kept(String name) {
    return Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(S).withValueSerde(S);
  }

  public static void main(String[] args) {
    JoinWindows windows = JoinWindows.ofTimeDifferenceWithNoGrace(Duration.ofMinutes(1));
    StreamJoined<String, String, String> joined = StreamJoined.with(S, S, S).withStoreName("s");
    show("stream join", b -> stream(b, "a").join(stream(b, "b"), JoinsDescribeGolden::plus, windows, joined).to("out", Produced.with(S, S)));
    show("stream leftJoin", b -> stream(b, "a").selectKey((k, v) -> v)
        .leftJoin(stream(b, "b").selectKey((k, v) -> v), JoinsDescribeGolden::plus, windows, joined.withName("j")).to("out", Produced.with(S, S)));
    show("stream outerJoin", b -> stream(b, "a").outerJoin(stream(b, "b"), JoinsDescribeGolden::plus, windows, joined)
        .join(stream(b, "c"), JoinsDescribeGolden::plus, windows, StreamJoined.with(S, S, S).withStoreName("t")).to("out", Produced.with(S, S)));
    show("stream self join", b -> {
      KStream<String, String> s = stream(b, "a");
      s.join(s, JoinsDescribeGolden::plus, windows, joined).to("out", Produced.with(S, S));
    });
    show("table joins", b -> {
      KTable<String, String> left = table(b, "a");
      KTable<String, String> right = table(b, "b");
      left.join(right, JoinsDescribeGolden::plus).toStream().to("out", Produced.with(S, S));
      left.leftJoin(right, JoinsDescribeGolden::plus, Named.as("named"), kept("kept")).toStream().to("out2", Produced.with(S, S));
      left.outerJoin(right, JoinsDescribeGolden::plus, kept("kept-too")).filter((k, v) -> true).toStream().to("out3", Produced.with(S, S));
    });
    show("foreign key joins", b -> {
      KTable<String, String> left = table(b, "a");
      KTable<String, String> right = table(b, "b");
      left.join(right, v -> v, JoinsDescribeGolden::plus, TableJoined.as("fk")).toStream().to("out", Produced.with(S, S));
      left.leftJoin(right, v -> v, JoinsDescribeGolden::plus, TableJoined.as("fk2"), kept("kept")).toStream().to("out2", Produced.with(S, S));
    });
    show("join with a grace period", b -> stream(b, "a").join(
        b.table("b", Consumed.with(S, S), Materialized.as(Stores.persistentVersionedKeyValueStore("versions", Duration.ofMinutes(5)))),
        JoinsDescribeGolden::plus, Joined.with(S, S, S, "j", Duration.ofMinutes(1))).to("out", Produced.with(S, S)));
    show("global joins", b -> {
      KStream<String, String> stream = stream(b, "a");
      GlobalKTable<String, String> global = b.globalTable("b", Consumed.with(S, S).withName("rows"), Materialized.as("global"));
      stream.join(global, (k, v) -> v, JoinsDescribeGolden::plus).leftJoin(global, (k, v) -> v, JoinsDescribeGolden::plus, Named.as("again")).to("out", Produced.with(S, S));
    });
  }
}
