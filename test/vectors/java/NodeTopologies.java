import org.apache.kafka.streams.Topology;

/** Topologies drawn node by node. */
final class NodeTopologies extends Words {
  static Topology source(String... topics) {
    return new Topology().addSource("source", S.deserializer(), S.deserializer(), topics);
  }

  static void add() {
    Catalog.addTopology("nodes-processor", Inputs.of("in").stream("other"), () -> source("in", "other")
        .addProcessor("plain", ProcessTopologies.Plain::new, "source").addSink("sink", "out", S.serializer(), S.serializer(), "plain")).headers();
    Catalog.addTopology("nodes-store", Inputs.of("in").keys("ab"), () -> source("in")
        .addProcessor("collect", ProcessTopologies.Collect::new, "source").addProcessor("again", ProcessTopologies.Collect::new, "source")
        .addStateStore(ProcessTopologies.store("s"), "collect", "again")
        .addSink("sink", "out", S.serializer(), S.serializer(), "collect", "again"));
    Catalog.addTopology("nodes-choice", Inputs.of("in"), () -> source("in")
        .addProcessor("choice", ProcessTopologies.Choice::new, "source").addProcessor("even", ProcessTopologies.Plain::new, "choice")
        .addSink("sink", "out", S.serializer(), S.serializer(), "even").addSink("odd", "odd", S.serializer(), S.serializer(), "choice")
        .addSink("chosen", (key, value, context) -> value == null ? "none" : "some", S.serializer(), S.serializer(), "even"))
        .outputs("out", "odd", "some", "none");
  }
}
