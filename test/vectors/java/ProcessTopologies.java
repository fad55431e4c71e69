import java.time.Duration;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
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
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/** Processors with stores and punctuators. */
final class ProcessTopologies extends Words {
  static StoreBuilder<KeyValueStore<String, String>> store(String name) {
    return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), S, S);
  }

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

  /** Remembers values by time, and forwards what lies near a record. */
  static final class Near extends ContextualProcessor<String, String, String, String> {
    private WindowStore<String, String> store;

    @Override public void init(ProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("w");
    }

    @Override public void process(Record<String, String> record) {
      if (record.key() == null) return;
      StringBuilder found = new StringBuilder();
      try (WindowStoreIterator<String> near = store.fetch(record.key(), Math.max(0, record.timestamp() - 60), record.timestamp() + 10)) {
        near.forEachRemaining(row -> found.append(row.key).append(row.value));
      }
      try (WindowStoreIterator<String> near = store.backwardFetch(record.key(), Math.max(0, record.timestamp() - 30), record.timestamp())) {
        near.forEachRemaining(row -> found.append("<").append(row.value));
      }
      String same = store.fetch(record.key(), record.timestamp());
      context().forward(record.withValue(found + "|" + same));
      store.put(record.key(), record.value(), record.timestamp());
    }
  }

  /** Keeps sessions of its own making: 20 ms from each record, and forwards those that overlap. */
  static final class Sessions extends ContextualProcessor<String, String, String, String> {
    private SessionStore<String, String> store;

    @Override public void init(ProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("x");
    }

    @Override public void process(Record<String, String> record) {
      if (record.key() == null || record.value() == null) return;
      StringBuilder found = new StringBuilder();
      try (KeyValueIterator<Windowed<String>, String> all = store.findSessions(record.key(), record.timestamp() - 30, record.timestamp() + 5)) {
        all.forEachRemaining(row -> found.append(row.key.window().start()).append("-").append(row.key.window().end()).append(row.value));
      }
      context().forward(record.withValue(found.toString()));
      Windowed<String> session = new Windowed<>(record.key(), new SessionWindow(record.timestamp(), record.timestamp() + 20));
      if (digit(record.value()) == 9) store.remove(session);
      else store.put(session, record.value());
    }
  }

  /** Forwards what lies between two keys, and all there is. */
  static final class Ranges extends ContextualProcessor<String, String, String, String> {
    private KeyValueStore<String, String> store;

    @Override public void init(ProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("s");
    }

    @Override public void process(Record<String, String> record) {
      if (record.key() == null) return;
      if (record.value() == null) store.delete(record.key());
      else store.put(record.key() + letter(record.value()), record.value());
      StringBuilder found = new StringBuilder();
      append(found, store.range("ar", "cp"));
      append(found.append("|"), store.reverseRange("b", "c"));
      append(found.append("|"), store.prefixScan(record.key(), new StringSerializer()));
      append(found.append("|"), store.all());
      context().forward(record.withValue(found.toString()));
    }

    private static void append(StringBuilder found, KeyValueIterator<String, String> rows) {
      try (rows) {
        rows.forEachRemaining(row -> found.append(row.key).append(digit(row.value)));
      }
    }
  }

  /** Versions of its own: forwards what was put, and what was true 40 ms before. */
  static final class Versions extends ContextualProcessor<String, String, String, String> {
    private VersionedKeyValueStore<String, String> store;

    @Override public void init(ProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("v");
    }

    @Override public void process(Record<String, String> record) {
      if (record.key() == null) return;
      long validTo = store.put(record.key(), record.value(), record.timestamp());
      VersionedRecord<String> before = store.get(record.key(), record.timestamp() - 40);
      VersionedRecord<String> newest = store.get(record.key());
      String put = validTo == VersionedKeyValueStore.PUT_RETURN_CODE_NOT_PUT ? "not put"
          : validTo == VersionedKeyValueStore.PUT_RETURN_CODE_VALID_TO_UNDEFINED ? "newest" : "until " + validTo;
      context().forward(record.withValue(put + "|" + shown(before) + "|" + shown(newest)));
    }

    private static String shown(VersionedRecord<String> version) {
      return version == null ? "none" : version.value() + "@" + version.timestamp();
    }
  }

  /** Odd digits to one child, even ones to the other. */
  static final class Choice extends ContextualProcessor<String, String, String, String> {
    @Override public void process(Record<String, String> record) {
      if (record.value() == null) context().forward(record);
      else context().forward(record, digit(record.value()) % 2 == 0 ? "even" : "odd");
    }
  }

  /** Looks a global table up by the value's letter. */
  static final class Enrich extends ContextualProcessor<String, String, String, String> {
    private TimestampedKeyValueStore<String, String> store;

    @Override public void init(ProcessorContext<String, String> context) {
      super.init(context);
      store = context.getStateStore("global-rows");
    }

    @Override public void process(Record<String, String> record) {
      ValueAndTimestamp<String> row = record.value() == null ? null : store.get(String.valueOf(letter(record.value())));
      context().forward(record.withValue(row == null ? "none" : row.value() + "@" + row.timestamp()));
    }
  }

  /** Counts how often a row changed. */
  static final class CountChanges implements ValueTransformerWithKey<String, String, String> {
    private KeyValueStore<String, String> store;

    @Override public void init(org.apache.kafka.streams.processor.ProcessorContext context) {
      store = context.getStateStore("s");
    }

    @Override public String transform(String key, String value) {
      String before = store.get(key);
      store.put(key, (before == null ? "" : before) + (value == null ? "-" : digit(value)));
      return value == null || digit(value) == 0 ? null : key + store.get(key);
    }

    @Override public void close() {}
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
    Catalog.add("process-window-store", Inputs.of("in").keys("ab"), b -> {
      b.addStateStore(Stores.windowStoreBuilder(Stores.persistentWindowStore("w", Duration.ofMillis(150), Duration.ofMillis(10), false), S, S));
      out(stream(b, "in").process(Near::new, "w"));
    });
    Catalog.add("process-session-store", Inputs.of("in").keys("ab"), b -> {
      b.addStateStore(Stores.sessionStoreBuilder(Stores.persistentSessionStore("x", Duration.ofMillis(150)), S, S));
      out(stream(b, "in").process(Sessions::new, "x"));
    });
    Catalog.add("process-ranges", Inputs.of("in"), b -> {
      b.addStateStore(store("s"));
      out(stream(b, "in").process(Ranges::new, "s"));
    });
    Catalog.add("process-versioned-store", Inputs.of("in").keys("ab"), b -> {
      b.addStateStore(Stores.versionedKeyValueStoreBuilder(Stores.persistentVersionedKeyValueStore("v", Duration.ofMillis(150)), S, S));
      out(stream(b, "in").process(Versions::new, "v"));
    });
    Catalog.add("process-to-child", Inputs.of("in"), b -> {
      KStream<String, String> chosen = stream(b, "in").process(Choice::new);
      out(chosen.mapValues(v -> v + " even", Named.as("even")));
      to(chosen.mapValues(v -> v + " odd", Named.as("odd")), "odd");
    }).outputs("out", "odd");
    Catalog.add("process-global-store", Inputs.of("in").groups("global"), b -> {
      b.globalTable("global", Consumed.with(S, S), kept("global-rows"));
      out(stream(b, "in").process(Enrich::new));
    });
    Catalog.add("table-transform-values", Inputs.ofTable("table").keys("ab"), b -> {
      b.addStateStore(store("s"));
      out(table(b, "table").transformValues(CountChanges::new, kept("transformed"), "s"));
    });
    Catalog.add("process-then-count", Inputs.of("in"), b -> out(stream(b, "in").process(Plain::new)
        .groupByKey(Grouped.with("g", S, S)).count(AggregateTopologies.counts("c"))));
  }
}
