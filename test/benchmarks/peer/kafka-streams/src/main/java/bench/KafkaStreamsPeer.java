package bench;

import static org.apache.kafka.streams.CloseOptions.GroupMembershipOperation.LEAVE_GROUP;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The benchmarks' work on Kafka Streams.
 *
 * <p>One argument, a JSON object: workload, bootstrapServers, applicationId, input, second (the
 * second input of a join), output, stateDir, threads, sessionTimeoutMs, standbys. Events
 * are JSON lines on stdout: started, restoring, restored (records), running, stopped. The end of stdin ends it.
 */
public final class KafkaStreamsPeer {
  private KafkaStreamsPeer() {}

  public static void main(String[] args) throws Exception {
    JsonNode options = new ObjectMapper().readTree(args[0]);
    KafkaStreams streams = new KafkaStreams(topology(options), properties(options));
    AtomicBoolean restoring = new AtomicBoolean();
    AtomicLong restored = new AtomicLong();
    streams.setGlobalStateRestoreListener(new StateRestoreListener() {
      @Override
      public void onRestoreStart(TopicPartition partition, String store, long start, long end) {
        if (restoring.compareAndSet(false, true)) {
          Json.event("restoring", Map.of());
        }
      }

      @Override
      public void onBatchRestored(TopicPartition partition, String store, long end, long count) {}

      @Override
      public void onRestoreEnd(TopicPartition partition, String store, long total) {
        restored.addAndGet(total);
      }
    });
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.RUNNING) {
        if (restoring.get()) {
          Json.event("restored", Map.of("records", restored.get()));
        }
        Json.event("running", Map.of());
      } else if (now == KafkaStreams.State.ERROR) {
        Json.event("failed", Map.of());
        Runtime.getRuntime().halt(1);
      }
    });
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    Json.event("started", Map.of());
    streams.start();
    while (System.in.read() != -1) {
      // Only its end means something.
    }
    // Left for good: the next instance need not wait for this one's session to run out.
    streams.close(CloseOptions.timeout(Duration.ofSeconds(30)).withGroupMembershipOperation(LEAVE_GROUP));
    Json.event("stopped", Map.of());
    System.exit(0);
  }

  private static Topology topology(JsonNode options) {
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, Payment> payments =
        builder.stream(options.get("input").asText(), Consumed.with(Serdes.String(), Json.payment()));
    KStream<String, byte[]> results = switch (options.get("workload").asText()) {
      case "aggregate", "restore" -> payments
          .groupByKey(Grouped.with(Serdes.String(), Json.payment()))
          .aggregate(
              () -> 0L,
              (account, payment, total) -> total + payment.amount(),
              Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("totals")
                  .withKeySerde(Serdes.String())
                  .withValueSerde(Serdes.Long()))
          .toStream()
          .mapValues((account, total) -> Json.object(json -> {
            json.writeStringField("account", account);
            json.writeNumberField("total", total);
          }));
      case "passthrough" -> payments.mapValues(payment -> Json.object(json -> {
        json.writeNumberField("id", payment.id());
        json.writeStringField("account", payment.account());
        json.writeNumberField("cents", payment.amount() * 100);
      }));
      case "windowed-count" -> payments
          .groupByKey(Grouped.with(Serdes.String(), Json.payment()))
          .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofSeconds(60)))
          .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("counts").withKeySerde(Serdes.String()))
          .toStream()
          .map((window, count) -> KeyValue.pair(window.key(), Json.object(json -> {
            json.writeStringField("account", window.key());
            json.writeNumberField("start", window.window().start());
            json.writeNumberField("count", count);
          })));
      case "stream-table-join" -> payments.join(
          builder.table(
              options.get("second").asText(),
              Consumed.with(Serdes.String(), Serdes.String()),
              Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as("countries")),
          (payment, country) -> Json.object(json -> {
            json.writeNumberField("id", payment.id());
            json.writeStringField("account", payment.account());
            json.writeNumberField("cents", payment.amount() * 100);
            json.writeStringField("country", country);
          }),
          Joined.with(Serdes.String(), Json.payment(), Serdes.String()));
      case "stream-stream-join" -> payments
          .mapValues(payment -> payment.id())
          .join(
              builder
                  .stream(options.get("second").asText(), Consumed.with(Serdes.String(), Json.payment()))
                  .mapValues(confirmation -> confirmation.id()),
              (payment, confirmation) -> Json.object(json -> {
                json.writeNumberField("payment", payment);
                json.writeNumberField("confirmation", confirmation);
              }),
              JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(10)),
              StreamJoined.with(Serdes.String(), Serdes.Long(), Serdes.Long()).withStoreName("near"));
      default -> throw new IllegalArgumentException("workload");
    };
    results.to(options.get("output").asText(), Produced.with(Serdes.String(), Serdes.ByteArray()));
    return builder.build();
  }

  private static Properties properties(JsonNode options) {
    Properties config = new Properties();
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("applicationId").asText());
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrapServers").asText());
    config.put(StreamsConfig.STATE_DIR_CONFIG, options.get("stateDir").asText());
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.get("threads").asInt());
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    // Every update is to come out: no cache that would fold them.
    config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
    config.put(StreamsConfig.METRICS_RECORDING_LEVEL_CONFIG, "INFO");
    // The best we found for this work; see README.md beside the pom.
    config.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5_000);
    config.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    config.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5_000);
    config.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
    config.put(StreamsConfig.consumerPrefix(ConsumerConfig.RECEIVE_BUFFER_CONFIG), 1 << 20);
    config.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    config.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
    config.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64 << 20);
    config.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "none");
    config.put(StreamsConfig.producerPrefix(ProducerConfig.SEND_BUFFER_CONFIG), 1 << 20);
    boolean brokerAssigns = options.path("protocol").asText().equals("streams");
    if (brokerAssigns) {
      // Session and standby copies are settings of the group.
      config.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, "streams");
    } else if (options.has("sessionTimeoutMs")) {
      config.put(
          StreamsConfig.mainConsumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG),
          options.get("sessionTimeoutMs").asInt());
    }
    if (!brokerAssigns) {
      config.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, options.path("standbys").asInt(0));
    }
    options.path("overrides").fields().forEachRemaining(e -> config.put(e.getKey(), e.getValue().asText()));
    return config;
  }
}
