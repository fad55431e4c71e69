package bench;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.SplittableRandom;
import java.util.StringJoiner;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Feeds a system at a steady rate and watches its committed output, in one process and so on one clock.
 *
 * <p>Each payment is stamped with the moment at which it was to be sent, whether or not the machine kept up (so nothing is
 * left out when it did not), and each result carries its payment's stamp. A consumer reads the output, read committed.
 *
 * <p>Arguments: bootstrap servers, input, output, records a second, keys. Lines on stdin: begin (a window), end, stop.
 * Events: ready; window (latency in microseconds over the payments stamped in it, and for each output partition the longest
 * time in milliseconds in which nothing of it was committed); done (all that was sent has come out).
 */
public final class Gauge {
  private static final long DRAIN_MS = 120_000;

  private final ConcurrentLinkedQueue<String> commands = new ConcurrentLinkedQueue<>();
  private final long wallBase = System.currentTimeMillis() * 1_000_000;
  private final long monotonicBase = System.nanoTime();
  private volatile boolean sending = true;
  private volatile long sent;

  public static void main(String[] args) throws Exception {
    new Gauge().run(args[0], args[1], args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]));
  }

  /** Wall clock nanoseconds that never jump. */
  private long now() {
    return wallBase + System.nanoTime() - monotonicBase;
  }

  private void run(String servers, String input, String output, int rate, int keys) throws Exception {
    Thread stdin = new Thread(this::readCommands, "stdin");
    stdin.setDaemon(true);
    stdin.start();
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(servers)) {
      List<TopicPartition> partitions = consumer.partitionsFor(output).stream()
          .map(partition -> new TopicPartition(output, partition.partition()))
          .toList();
      consumer.assign(partitions);
      consumer.seekToEnd(partitions);
      partitions.forEach(consumer::position);
      long startedAt = now();
      Thread sender = new Thread(() -> send(servers, input, rate, keys), "sender");
      sender.setDaemon(true);
      sender.start();
      Json.event("ready", Map.of());
      watch(consumer, partitions.size(), startedAt);
    }
    System.exit(0);
  }

  private void watch(KafkaConsumer<byte[], byte[]> consumer, int partitions, long startedAt) {
    Window window = null;
    long received = 0;
    long stoppedAt = 0;
    for (;;) {
      for (String command = commands.poll(); command != null; command = commands.poll()) {
        switch (command) {
          case "begin" -> window = new Window(partitions, now());
          case "end" -> {
            window.close(now());
          }
          default -> {
            sending = false;
            stoppedAt = now();
          }
        }
      }
      ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(50));
      long at = now();
      for (ConsumerRecord<byte[], byte[]> record : records) {
        // What came before this process did is not its business.
        if (record.timestamp() * 1_000_000 < startedAt - 1_000_000) {
          continue;
        }
        received++;
        if (window != null) {
          window.add(record.partition(), record.timestamp(), at);
        }
      }
      // A window counts the payments stamped in it, which come out later: it is reported when all are there.
      if (stoppedAt != 0 && received >= sent) {
        if (window != null) {
          window.report();
        }
        Json.event("done", Map.of("records", received));
        return;
      }
      if (stoppedAt != 0 && at - stoppedAt > DRAIN_MS * 1_000_000) {
        Json.event("missing", Map.of("sent", sent, "received", received));
        System.exit(1);
      }
    }
  }

  /** Latencies of what is stamped in it, and gaps of what arrives in it. */
  private static final class Window {
    private final long openedAt;
    private long closedAt = Long.MAX_VALUE;
    private final long[] lastAt;
    private final long[] longest;
    private final long[] longestFrom;
    private int[] micros = new int[1 << 16];
    private int count;

    Window(int partitions, long openedAt) {
      this.openedAt = openedAt;
      lastAt = new long[partitions];
      Arrays.fill(lastAt, openedAt);
      longest = new long[partitions];
      longestFrom = new long[partitions];
    }

    void add(int partition, long timestamp, long at) {
      // What is open when the window closes counts with its whole length: its end is what was waited for.
      if (lastAt[partition] < closedAt) {
        gap(partition, at);
      }
      lastAt[partition] = at;
      long stamp = timestamp * 1_000_000;
      if (stamp < openedAt || stamp >= closedAt) {
        return;
      }
      if (count == micros.length) {
        micros = Arrays.copyOf(micros, count * 2);
      }
      micros[count++] = (int) Math.max(0, (at - stamp) / 1_000);
    }

    private void gap(int partition, long at) {
      long length = at - lastAt[partition];
      if (length > longest[partition]) {
        longest[partition] = length;
        longestFrom[partition] = lastAt[partition];
      }
    }

    void close(long at) {
      closedAt = at;
    }

    void report() {
      int[] sorted = Arrays.copyOf(micros, count);
      Arrays.sort(sorted);
      StringJoiner gaps = new StringJoiner(",");
      StringJoiner from = new StringJoiner(",");
      for (int partition = 0; partition < longest.length; partition++) {
        gaps.add(String.valueOf(Math.round(longest[partition] / 1e6)));
        from.add(String.valueOf(Math.round((longestFrom[partition] - openedAt) / 1e6)));
      }
      Json.event("window", Map.of(
          "records", (long) count,
          "p50", percentile(sorted, 0.5),
          "p99", percentile(sorted, 0.99),
          "max", percentile(sorted, 1),
          "gaps", gaps.toString(),
          "gapsFrom", from.toString()));
    }

    private static long percentile(int[] sorted, double share) {
      if (sorted.length == 0) {
        return 0;
      }
      return sorted[Math.min(sorted.length - 1, (int) Math.ceil(share * sorted.length) - 1)];
    }
  }

  private void send(String servers, String input, int rate, int keys) {
    SplittableRandom random = new SplittableRandom(43);
    long interval = 1_000_000_000L / rate;
    try (KafkaProducer<byte[], byte[]> producer = producer(servers)) {
      long first = now();
      for (long i = 0; sending; i++) {
        long intended = first + i * interval;
        long wait = intended - now();
        while (wait > 0 && sending) {
          // The machine wakes late by some 60 microseconds: what became due meanwhile goes out together.
          LockSupport.parkNanos(wait);
          wait = intended - now();
        }
        int key = random.nextInt(keys);
        String account = Backlog.account(key);
        byte[] value =
            Backlog.payment(i, account, key, 1 + random.nextInt(9_999), intended / 1_000_000)
                .getBytes(StandardCharsets.UTF_8);
        producer.send(
            new ProducerRecord<>(
                input, null, intended / 1_000_000, account.getBytes(StandardCharsets.UTF_8), value),
            (metadata, error) -> {
              if (error != null) {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
              }
            });
        sent = i + 1;
      }
    }
  }

  private void readCommands() {
    try (BufferedReader lines = new BufferedReader(new InputStreamReader(System.in))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        commands.add(line.trim());
      }
    } catch (Exception error) {
      error.printStackTrace();
    }
    // Nobody is left to tell.
    Runtime.getRuntime().halt(1);
  }

  private static KafkaConsumer<byte[], byte[]> consumer(String servers) {
    Properties config = new Properties();
    config.put("bootstrap.servers", servers);
    config.put("key.deserializer", ByteArrayDeserializer.class);
    config.put("value.deserializer", ByteArrayDeserializer.class);
    config.put("isolation.level", "read_committed");
    config.put("auto.offset.reset", "none");
    config.put("max.poll.records", 20_000);
    return new KafkaConsumer<>(config);
  }

  private static KafkaProducer<byte[], byte[]> producer(String servers) {
    Properties config = new Properties();
    config.put("bootstrap.servers", servers);
    config.put("key.serializer", ByteArraySerializer.class);
    config.put("value.serializer", ByteArraySerializer.class);
    config.put("acks", "all");
    config.put("linger.ms", 1);
    return new KafkaProducer<>(config);
  }
}
