package bench;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Properties;
import java.util.SplittableRandom;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes the input, the same for the same arguments. Arguments: bootstrap servers, topic, records, keys, kind.
 *
 * <ul>
 *   <li>payments: JSON of some 100 bytes, keyed by account. With as many keys as records each key comes once; else they are
 *       drawn evenly.
 *   <li>confirmations: one for each payment, of the same account, 5 s later.
 *   <li>countries: the country of each account, older than every payment. As many records as keys.
 * </ul>
 */
public final class Backlog {
  private static final long FIRST_TIMESTAMP = 1_750_000_000_000L;

  private Backlog() {}

  public static void main(String[] args) throws Exception {
    String topic = args[1];
    int records = Integer.parseInt(args[2]);
    int keys = Integer.parseInt(args[3]);
    String kind = args[4];
    Properties config = new Properties();
    config.put("bootstrap.servers", args[0]);
    config.put("key.serializer", ByteArraySerializer.class);
    config.put("value.serializer", ByteArraySerializer.class);
    config.put("acks", "all");
    config.put("batch.size", 256 << 10);
    config.put("linger.ms", 20);
    config.put("buffer.memory", 64 << 20);
    SplittableRandom random = new SplittableRandom(42);
    long sum = 0;
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config)) {
      for (int i = 0; i < records; i++) {
        int key = keys == records ? i : random.nextInt(keys);
        int amount = 1 + random.nextInt(9_999);
        sum += amount;
        String account = account(key);
        long timestamp = switch (kind) {
          case "confirmations" -> FIRST_TIMESTAMP + i + 5_000;
          case "countries" -> FIRST_TIMESTAMP - records + i;
          default -> FIRST_TIMESTAMP + i;
        };
        String value = switch (kind) {
          case "confirmations" -> "{\"id\":" + i + ",\"account\":\"" + account + "\",\"at\":" + timestamp + "}";
          case "countries" -> countryOf(account);
          default -> payment(i, account, key, amount, timestamp);
        };
        producer.send(
            new ProducerRecord<>(topic, null, timestamp, account.getBytes(StandardCharsets.UTF_8),
                value.getBytes(StandardCharsets.UTF_8)),
            (metadata, error) -> {
              if (error != null) {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
              }
            });
        if (i % 100_000 == 99_999) {
          Json.event("produced", Map.of("records", (long) i + 1));
        }
      }
    }
    Json.event("done", Map.of("records", (long) records, "sum", sum));
  }

  static String account(int key) {
    return "k" + String.valueOf(10_000_000 + key).substring(1);
  }

  static String payment(long id, String account, int key, int amount, long timestamp) {
    return "{\"id\":" + id + ",\"account\":\"" + account + "\",\"amount\":" + amount
        + ",\"currency\":\"EUR\",\"merchant\":\"m" + (10_000 + key % 9_973) + "\",\"at\":" + timestamp + "}";
  }

  static String countryOf(String account) {
    return "C" + Integer.parseInt(account.substring(1)) % 97;
  }
}
