// The side of a chaos run that shares no code with Millrace: it writes the input, asks how far the group is, and reads what the
// end of the run is judged by. Kafka's own clients only. One line of a command on stdin, one line of JSON on stdout.
//
//   create \t topic \t partitions \t name=value,...      creates a topic
//   record \t producer \t topic \t partition \t timestamp \t key \t value     remembers a record of the next chunk
//   chunk \t producer=commit|abort,...                    writes what is remembered, the producers' transactions interleaved
//   lag \t group \t topic,...                             what the group has not committed of the topics, up to their stable end
//   read \t file \t topic,...                             writes all committed records as lines of the file
//   ends                                                  both ends of every partition, and transactions that are open

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.FileWriter;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public final class ChaosPeer {
  private record Entry(String producer, ProducerRecord<String, String> record) {}

  private final String brokers;
  private final String name;
  private final Admin admin;
  private final Map<String, KafkaProducer<String, String>> producers = new HashMap<>();
  private List<Entry> waiting = new ArrayList<>();
  private final Map<String, Exception> lost = new ConcurrentHashMap<>();
  private long redone = 0;
  private KafkaConsumer<byte[], byte[]> looker;

  /** Offsets; more are taken for records without a look. */
  private static final long LOOKED_THROUGH = 500;

  private ChaosPeer(String brokers, String name) {
    this.brokers = brokers;
    this.name = name;
    admin = Admin.create(Map.of("bootstrap.servers", brokers, "default.api.timeout.ms", "120000"));
  }

  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    ChaosPeer peer = new ChaosPeer(args[0], args[1]);
    out.println("{\"ready\":true}");
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split("\t", -1);
      try {
        String answer = peer.run(words);
        if (answer != null) out.println(answer);
      } catch (Exception error) {
        out.println("{\"error\":" + quoted(words[0] + ": " + error) + "}");
      }
    }
    System.exit(0);
  }

  private String run(String[] words) throws Exception {
    switch (words[0]) {
      case "create":
        return create(words[1], Integer.parseInt(words[2]), words[3]);
      case "record":
        Integer partition = words[3].isEmpty() ? null : Integer.valueOf(words[3]);
        waiting.add(
            new Entry(words[1], new ProducerRecord<>(words[2], partition, Long.valueOf(words[4]), words[5], words[6])));
        return null;
      case "chunk":
        return chunk(words[1]);
      case "lag":
        return lag(words[1], words[2].split(","));
      case "read":
        return read(words[1], words[2].split(","));
      case "ends":
        return ends();
      default:
        throw new IllegalArgumentException("no such command");
    }
  }

  private String create(String topic, int partitions, String settings) throws Exception {
    Map<String, String> configs = new HashMap<>();
    for (String pair : settings.split(",")) {
      if (!pair.isEmpty()) configs.put(pair.split("=")[0], pair.split("=")[1]);
    }
    try {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
    } catch (ExecutionException error) {
      if (!(error.getCause() instanceof TopicExistsException)) throw error;
    }
    return "{\"created\":true}";
  }

  /** A producer whose name begins with "plain" writes without transactions, though idempotently. */
  private KafkaProducer<String, String> producer(String producer) {
    return producers.computeIfAbsent(
        producer,
        id -> {
          Properties settings = new Properties();
          settings.put("bootstrap.servers", brokers);
          settings.put("acks", "all");
          settings.put("enable.idempotence", "true");
          settings.put("linger.ms", "2");
          settings.put("batch.size", "4096");
          settings.put("max.block.ms", "180000");
          settings.put("request.timeout.ms", "10000");
          settings.put("delivery.timeout.ms", "180000");
          if (!id.startsWith("plain")) {
            settings.put("transactional.id", name + "-" + id);
            settings.put("transaction.timeout.ms", "300000");
          }
          KafkaProducer<String, String> created =
              new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
          if (!id.startsWith("plain")) created.initTransactions();
          return created;
        });
  }

  private String chunk(String endings) throws Exception {
    List<Entry> entries = waiting;
    waiting = new ArrayList<>();
    Map<String, String> ends = new LinkedHashMap<>();
    for (String pair : endings.split(",")) ends.put(pair.split("=")[0], pair.split("=")[1]);
    Set<String> failed = new LinkedHashSet<>();
    for (Map.Entry<String, String> end : ends.entrySet()) {
      KafkaProducer<String, String> producer = producer(end.getKey());
      if (!end.getKey().startsWith("plain")) producer.beginTransaction();
    }
    int sent = 0;
    lost.clear();
    for (Entry entry : entries) {
      if (failed.contains(entry.producer())) continue;
      try {
        String id = entry.producer();
        producer(id)
            .send(
                entry.record(),
                (metadata, error) -> {
                  if (error != null && lost.putIfAbsent(id, error) == null) System.err.println(id + ": " + error);
                });
        // So that the batches of the transactions lie interleaved in the log.
        if (++sent % 97 == 0) producer(entry.producer()).flush();
      } catch (RuntimeException error) {
        failed.add(entry.producer());
      }
    }
    for (Map.Entry<String, String> end : ends.entrySet()) {
      String id = end.getKey();
      KafkaProducer<String, String> producer = producer(id);
      if (id.startsWith("plain")) {
        producer.flush();
        if (lost.containsKey(id)) throw new IllegalStateException("records were not written: " + lost.get(id));
      } else if (end.getValue().equals("abort")) {
        try {
          // What was never written could not be delivered by mistake.
          producer.flush();
          producer.abortTransaction();
        } catch (RuntimeException error) {
          replace(id);
        }
      } else if (failed.contains(id) || !commit(producer)) {
        redo(id, entries);
      }
    }
    return "{\"written\":" + entries.size() + ",\"redone\":" + redone + "}";
  }

  /** False: it was aborted for sure. */
  private boolean commit(KafkaProducer<String, String> producer) {
    for (int attempt = 0; ; attempt++) {
      try {
        producer.commitTransaction();
        return true;
      } catch (TimeoutException error) {
        // The outcome is unknown; the same commit may be asked for again.
        if (attempt >= 5) throw error;
      } catch (RuntimeException error) {
        System.err.println("commit: " + error);
        return false;
      }
    }
  }

  private void redo(String id, List<Entry> entries) {
    for (int attempt = 0; attempt < 5; attempt++) {
      redone++;
      replace(id);
      KafkaProducer<String, String> producer = producer(id);
      try {
        producer.beginTransaction();
        for (Entry entry : entries) if (entry.producer().equals(id)) producer.send(entry.record());
      } catch (RuntimeException error) {
        continue;
      }
      if (commit(producer)) return;
    }
    throw new IllegalStateException("the transaction of " + id + " failed again and again");
  }

  private void replace(String id) {
    KafkaProducer<String, String> old = producers.remove(id);
    if (old != null) old.close(Duration.ZERO);
    producer(id);
  }

  private String lag(String group, String[] topics) throws Exception {
    Map<TopicPartition, OffsetAndMetadata> committed =
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(60, TimeUnit.SECONDS);
    List<TopicPartition> partitions = partitionsOf(Arrays.asList(topics));
    Map<TopicPartition, Long> ends = endsOf(partitions, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED);
    Map<TopicPartition, Long> starts = endsOf(partitions, OffsetSpec.earliest(), IsolationLevel.READ_COMMITTED);
    long total = 0;
    long done = 0;
    StringBuilder behind = new StringBuilder();
    for (TopicPartition partition : partitions) {
      OffsetAndMetadata offset = committed.get(partition);
      long at = offset == null ? 0 : offset.offset();
      done += at;
      long from = Math.max(at, starts.get(partition));
      long missing = ends.get(partition) - from;
      if (missing <= 0) continue;
      // What is left may be markers and aborted records alone, behind which nobody needs to commit.
      if (missing <= LOOKED_THROUGH) missing = recordsBetween(partition, from, ends.get(partition));
      if (missing == 0) continue;
      total += missing;
      behind.append(behind.length() == 0 ? "" : ",").append(quoted(partition.toString())).append(":").append(missing);
    }
    return "{\"lag\":" + total + ",\"committed\":" + done + ",\"behind\":{" + behind + "}}";
  }

  private long recordsBetween(TopicPartition partition, long from, long end) {
    if (looker == null) looker = new KafkaConsumer<>(readCommitted(), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    looker.assign(List.of(partition));
    looker.seek(partition, from);
    long count = 0;
    long deadline = System.currentTimeMillis() + 10_000;
    try {
      while (looker.position(partition) < end && System.currentTimeMillis() < deadline) {
        count += looker.poll(Duration.ofMillis(500)).count();
      }
    } catch (OffsetOutOfRangeException error) {
      // The application has deleted records that it has processed since the offsets were asked for: ask again.
      return 1;
    }
    return looker.position(partition) < end ? Math.max(1, count) : count;
  }

  private Properties readCommitted() {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("isolation.level", "read_committed");
    settings.put("auto.offset.reset", "none");
    settings.put("enable.auto.commit", "false");
    return settings;
  }

  private List<TopicPartition> partitionsOf(Collection<String> topics) throws Exception {
    Set<String> present = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
    List<String> known = topics.stream().filter(present::contains).sorted().collect(Collectors.toList());
    List<TopicPartition> partitions = new ArrayList<>();
    for (TopicDescription topic : new TreeMap<>(admin.describeTopics(known).allTopicNames().get()).values()) {
      topic.partitions().forEach(info -> partitions.add(new TopicPartition(topic.name(), info.partition())));
    }
    return partitions;
  }

  private Map<TopicPartition, Long> endsOf(
      List<TopicPartition> partitions, OffsetSpec spec, IsolationLevel isolation) throws Exception {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    for (TopicPartition partition : partitions) asked.put(partition, spec);
    Map<TopicPartition, Long> ends = new HashMap<>();
    admin
        .listOffsets(asked, new ListOffsetsOptions(isolation))
        .all()
        .get(60, TimeUnit.SECONDS)
        .forEach((partition, info) -> ends.put(partition, info.offset()));
    return ends;
  }

  private String read(String file, String[] topics) throws Exception {
    List<TopicPartition> partitions = partitionsOf(Arrays.asList(topics));
    Map<TopicPartition, Long> ends = endsOf(partitions, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED);
    long count = 0;
    try (KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(readCommitted(), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        BufferedWriter writer = new BufferedWriter(new FileWriter(file, StandardCharsets.ISO_8859_1), 1 << 16)) {
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Set<TopicPartition> open = new LinkedHashSet<>(partitions);
      while (true) {
        open.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
        if (open.isEmpty()) break;
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          writer.write(
              record.topic() + "\t" + record.partition() + "\t" + record.offset() + "\t" + record.timestamp()
                  + "\t" + encoded(record.key()) + "\t" + encoded(record.value()) + "\n");
          count++;
        }
      }
    }
    return "{\"read\":" + count + "}";
  }

  private static String encoded(byte[] bytes) {
    return bytes == null ? "-" : "=" + Base64.getEncoder().withoutPadding().encodeToString(bytes);
  }

  private String ends() throws Exception {
    Set<String> topics = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
    List<TopicPartition> partitions = partitionsOf(topics);
    Map<TopicPartition, Long> stable = endsOf(partitions, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED);
    Map<TopicPartition, Long> all = endsOf(partitions, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED);
    StringBuilder answer = new StringBuilder("{\"partitions\":[");
    for (int i = 0; i < partitions.size(); i++) {
      TopicPartition partition = partitions.get(i);
      answer.append(i == 0 ? "" : ",").append("{\"topic\":").append(quoted(partition.topic()));
      answer.append(",\"partition\":").append(partition.partition());
      answer.append(",\"stable\":").append(stable.get(partition));
      answer.append(",\"end\":").append(all.get(partition)).append("}");
    }
    answer.append("],\"transactions\":[");
    int count = 0;
    for (TransactionListing listing : admin.listTransactions().all().get()) {
      TransactionState state = listing.state();
      if (state != TransactionState.ONGOING
          && state != TransactionState.PREPARE_COMMIT
          && state != TransactionState.PREPARE_ABORT
          && state != TransactionState.PREPARE_EPOCH_FENCE) continue;
      answer.append(count++ == 0 ? "" : ",").append("{\"id\":").append(quoted(listing.transactionalId()));
      answer.append(",\"state\":").append(quoted(state.toString())).append("}");
    }
    return answer.append("]}").toString();
  }

  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') quoted.append('\\').append(c);
      else if (c < ' ') quoted.append(' ');
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
