package bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.BiConsumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Compares an output topic, read committed, with a plain recomputation from the input topic: for each key, each update
 * in its order. Prints one line: done, or wrong with what was found first. Also counts what is committed in a topic.
 *
 * <p>Arguments: bootstrap servers, workload (all but joins of two streams, see JoinCheck), input, output.
 */
public final class OutputCheck {
  private static final long WINDOW_MS = 60_000;
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private OutputCheck() {}

  /** The values expected of a key, in order, and how many have been seen. */
  private static final class Expected {
    long[] values = new long[4];
    int size;
    int seen;

    void add(long value) {
      if (size == values.length) {
        values = java.util.Arrays.copyOf(values, size * 2);
      }
      values[size++] = value;
    }
  }

  public static void main(String[] args) throws Exception {
    String workload = args[1];
    Map<String, Expected> expected = new HashMap<>();
    Map<String, Long> counts = new HashMap<>();
    long inputs = read(args[0], args[2], (key, json) -> {
      Expected of = expected.computeIfAbsent(key, k -> new Expected());
      long amount = json.path("amount").asLong();
      switch (workload) {
        case "aggregate" -> of.add((of.size == 0 ? 0 : of.values[of.size - 1]) + amount);
        case "windowed-count" -> {
          long start = json.get("at").asLong() / WINDOW_MS * WINDOW_MS;
          of.add(start + counts.merge(key + "@" + start, 1L, Long::sum));
        }
        default -> of.add(amount * 100);
      }
    });
    List<String> wrong = new ArrayList<>();
    long outputs = read(args[0], args[3], (key, json) -> {
      Expected of = expected.get(key);
      long value = switch (workload) {
        case "aggregate" -> json.get("total").asLong();
        case "windowed-count" -> json.get("start").asLong() + json.get("count").asLong();
        default -> json.get("cents").asLong();
      };
      if (of == null || !key.equals(json.get("account").asText())) {
        wrong.add("key " + key + " was never an input");
      } else if (of.seen == of.size) {
        wrong.add("key " + key + " has more updates than inputs");
      } else if (of.values[of.seen++] != value) {
        wrong.add("update " + of.seen + " of key " + key + " is " + value + ", not " + of.values[of.seen - 1]);
      } else if (workload.equals("stream-table-join")
          && !json.get("country").asText().equals(Backlog.countryOf(key))) {
        wrong.add("key " + key + " has the country " + json.get("country"));
      }
    });
    if (outputs != inputs) {
      wrong.add(outputs + " outputs of " + inputs + " inputs");
    }
    report(wrong, outputs, expected.size());
  }

  static void report(List<String> wrong, long outputs, long keys) {
    if (wrong.isEmpty()) {
      Json.event("done", Map.of("records", outputs, "keys", keys));
    } else {
      Json.event("wrong", Map.of("faults", (long) wrong.size(), "first", wrong.get(0)));
      System.exit(1);
    }
  }

  static long read(String servers, String topic, BiConsumer<String, JsonNode> each) throws Exception {
    Properties config = new Properties();
    config.put("bootstrap.servers", servers);
    config.put("key.deserializer", StringDeserializer.class);
    config.put("value.deserializer", ByteArrayDeserializer.class);
    config.put("isolation.level", "read_committed");
    config.put("max.poll.records", 20_000);
    config.put("max.partition.fetch.bytes", 8 << 20);
    config.put("auto.offset.reset", "none");
    long count = 0;
    try (KafkaConsumer<String, byte[]> consumer = new KafkaConsumer<>(config)) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          each.accept(record.key(), MAPPER.readTree(record.value()));
          count++;
        }
      }
    }
    return count;
  }
}
