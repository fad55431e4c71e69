import java.time.Duration;
import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

// Writes kafka-streams-describe.txt: what Kafka Streams says of the topologies in describe.spec.ts. Needs kafka-streams 4.3.1 on the class path.
public class DescribeGolden {
  static Serde<String> S = Serdes.String();
  interface B { void b(StreamsBuilder b); }
  static void show(String name, B b) { StreamsBuilder sb = new StreamsBuilder(); b.b(sb); System.out.println("=== " + name); System.out.print(sb.build().describe().toString()); System.out.println("=== end"); }
  public static void main(String[] a) {
    show("stateless", b -> {
      KStream<String,String> s = b.stream("in", Consumed.with(S,S));
      s.filter((k,v)->true).filterNot((k,v)->false).mapValues(v->v).flatMapValues(v->List.of(v)).peek((k,v)->{}).to("out", Produced.with(S,S));
      s.map((k,v)->KeyValue.pair(k,v)).flatMap((k,v)->List.of(KeyValue.pair(k,v))).selectKey((k,v)->k).foreach((k,v)->{});
    });
    show("count", b -> {
      b.stream("in", Consumed.with(S,S)).groupByKey().count(Materialized.as("counts")).toStream().to("out", Produced.with(S, Serdes.Long()));
    });
    show("groupBy", b -> {
      KGroupedStream<String,String> g = b.stream("in", Consumed.with(S,S)).groupBy((k,v)->v, Grouped.as("by-value"));
      g.count(Materialized.as("counts")).toStream().to("out", Produced.with(S, Serdes.Long()));
      g.reduce((x,y)->y, Materialized.as("latest")).toStream().to("out2", Produced.with(S, S));
    });
    show("unnamed group", b -> {
      b.stream("in", Consumed.with(S,S)).selectKey((k,v)->v).groupByKey().aggregate(()->"", (k,v,x)->v, Materialized.as("agg")).toStream().to("out", Produced.with(S, S));
    });
    show("join", b -> {
      KStream<String,String> s = b.stream("orders", Consumed.with(S,S));
      KTable<String,String> t = b.table("customers", Consumed.with(S,S), Materialized.as("customers"));
      s.selectKey((k,v)->v).join(t, (x,y)->x, Joined.<String,String,String>as("enrich")).to("out", Produced.with(S,S));
      s.leftJoin(t, (x,y)->x).to("out2", Produced.with(S,S));
    });
    show("branch", b -> {
      KStream<String,String> s = b.stream("in", Consumed.with(S,S).withName("source"));
      Map<String, KStream<String,String>> m = s.split(Named.as("split-")).branch((k,v)->true, Branched.as("big")).branch((k,v)->true, Branched.as("small")).defaultBranch(Branched.as("rest"));
      m.get("split-big").merge(m.get("split-small"), Named.as("both")).to("out", Produced.with(S,S).withName("sink"));
      m.get("split-rest").to((k,v,c)->v, Produced.with(S,S));
    });
    show("two", b -> {
      b.stream("a", Consumed.with(S,S)).repartition(Repartitioned.<String,String>as("again").withNumberOfPartitions(3)).to("out", Produced.with(S,S));
      b.stream(List.of("b"), Consumed.with(S,S)).to("out2", Produced.with(S,S));
    });
    show("table", b -> {
      b.table("in", Consumed.with(S,S).withName("rows"), Materialized.as("rows-store")).filter((k,v)->true).mapValues(v->v, Materialized.as("mapped")).toStream(Named.as("changes")).to("out", Produced.with(S,S));
    });
    show("windows", b -> {
      KGroupedStream<String,String> g = b.stream("in", Consumed.with(S,S)).groupBy((k,v)->v, Grouped.as("by-value"));
      g.windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(1))).count(Materialized.as("counts"))
          .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()).withName("final"))
          .toStream().to("out", Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, 60000), Serdes.Long()));
      g.windowedBy(SlidingWindows.ofTimeDifferenceWithNoGrace(Duration.ofMinutes(1))).reduce((x,y)->y, Materialized.as("latest"))
          .filter((k,v)->true).toStream().to("out2", Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, 60000), S));
      g.windowedBy(SessionWindows.ofInactivityGapWithNoGrace(Duration.ofMinutes(1))).aggregate(()->"", (k,v,x)->v, (k,x,y)->x, Materialized.as("sessions"))
          .toStream().to("out3", Produced.with(WindowedSerdes.sessionWindowedSerdeFrom(String.class), S));
    });
  }
}
