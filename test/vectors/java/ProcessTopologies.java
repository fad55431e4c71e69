import java.time.Duration;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Processors with stores and punctuators. */
final class ProcessTopologies extends Words {
  static StoreBuilder<KeyValueStore<String, String>> store(String name) {
    return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), S, S);
  }

  /** Forwards a null key once for the record and once later. */
  static final class Plain extends ContextualProcessor<String, String, String, String> {
    @Override public void process(Record<String, String> record) {
      if (record.value() == null) return;
      context().forward(record);
      if (digit(record.value()) > 5) context().forward(record.withKey(record.value()).withValue(record.key()).withTimestamp(record.timestamp() + 1000));
    }
  }

  /** Joins the digits of a key; a zero forgets them. */
  static final class Collect extends ContextualProcessor<String, String, String, String> {
    private KeyValueStore<String, String> store;

    @Override public void init(ProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("s");
    }

    @Override public void process(Record<String, String> record) {
      if (record.key() == null || record.value() == null) return;
      String before = store.get(record.key());
      if (digit(record.value()) == 0) {
        store.delete(record.key());
        context().forward(record.withValue(null));
        return;
      }
      String after = (before == null ? "" : before) + digit(record.value());
      store.put(record.key(), after);
      context().forward(record.withValue(after));
    }
  }

  static final class CollectValues extends ContextualFixedKeyProcessor<String, String, String> {
    private KeyValueStore<String, String> store;

    @Override public void init(FixedKeyProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("s");
    }

    @Override public void process(FixedKeyRecord<String, String> record) {
      if (record.key() == null || record.value() == null) {
        context().forward(record.withValue("none"));
        return;
      }
      String before = store.putIfAbsent(record.key(), record.value());
      context().forward(record.withValue(before + ">" + record.value()));
      if (digit(record.value()) > 6) store.put(record.key(), record.value());
    }
  }

  /** Counts per key, and on each punctuation forwards and forgets all counts. */
  static final class Flush extends ContextualProcessor<String, String, String, String> {
    private final PunctuationType type;
    private final long interval;
    private KeyValueStore<String, String> store;

    Flush(PunctuationType type, long interval) {
      this.type = type;
      this.interval = interval;
    }

    @Override public void init(ProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("s");
      context.schedule(Duration.ofMillis(interval), type, this::punctuate);
    }

    @Override public void process(Record<String, String> record) {
      if (record.key() == null || record.value() == null) return;
      String before = store.get(record.key());
      store.put(record.key(), (before == null ? "" : before) + digit(record.value()));
    }

    private void punctuate(long timestamp) {
      try (KeyValueIterator<String, String> all = store.all()) {
        while (all.hasNext()) {
          KeyValue<String, String> next = all.next();
          context().forward(new Record<>(next.key, next.value + "#" + timestamp, timestamp));
          store.delete(next.key);
        }
      }
    }
  }

  /** A punctuator that a record with a nine cancels, and the next one starts again. */
  static final class Cancelled extends ContextualProcessor<String, String, String, String> {
    private Cancellable running;

    @Override public void init(ProcessorContext<String, String> context) {
      super.init(context);
      start();
    }

    private void start() {
      running = context().schedule(Duration.ofMillis(30), PunctuationType.STREAM_TIME, at -> context().forward(new Record<>("tick", "t" + at, at)));
    }

    @Override public void process(Record<String, String> record) {
      if (record.value() != null && digit(record.value()) > 7) {
        if (running == null) start();
        else {
          running.cancel();
          running = null;
        }
      }
      context().forward(record);
    }
  }

  static final class Headers extends ContextualProcessor<String, String, String, String> {
    @Override public void process(Record<String, String> record) {
      byte[] value = (record.value() == null ? "none" : record.value()).getBytes();
      context().forward(record.withHeaders(new RecordHeaders(record.headers()).add("p", value)));
      if (record.value() != null && digit(record.value()) > 6) context().forward(record.withValue(context().currentStreamTimeMs() + "!"));
    }
  }

  static void add() {
    Catalog.add("process", Inputs.of("in"), b -> out(stream(b, "in").process(Plain::new)));
    Catalog.add("process-with-store", Inputs.of("in").keys("ab"), b -> {
      b.addStateStore(store("s"));
      out(stream(b, "in").process(Collect::new, "s"));
    });
    Catalog.add("process-values", Inputs.of("in").keys("ab"), b -> {
      b.addStateStore(store("s"));
      out(stream(b, "in").processValues(CollectValues::new, "s"));
    });
    Catalog.add("process-stream-time-punctuator", Inputs.of("in"), b -> {
      b.addStateStore(store("s"));
      out(stream(b, "in").process(() -> new Flush(PunctuationType.STREAM_TIME, 50), "s"));
    });
    Catalog.add("process-wall-clock-punctuator", Inputs.of("in").wallClock(80), b -> {
      b.addStateStore(store("s"));
      out(stream(b, "in").process(() -> new Flush(PunctuationType.WALL_CLOCK_TIME, 60), "s"));
    });
    Catalog.add("process-cancelled-punctuator", Inputs.of("in").openEnd(), b -> out(stream(b, "in").process(Cancelled::new)));
    Catalog.add("process-headers", Inputs.of("in"), b -> out(stream(b, "in").process(Headers::new))).headers();
    Catalog.add("process-shared-store", Inputs.of("in").stream("other").keys("ab"), b -> {
      b.addStateStore(store("s"));
      out(stream(b, "in").process(Collect::new, "s"));
      to(stream(b, "other").processValues(CollectValues::new, "s"), "values");
    }).outputs("out", "values");
    Catalog.add("process-then-count", Inputs.of("in"), b -> out(stream(b, "in").process(Plain::new)
        .groupByKey(org.apache.kafka.streams.kstream.Grouped.with("g", S, S)).count(AggregateTopologies.counts("c"))));
  }
}
