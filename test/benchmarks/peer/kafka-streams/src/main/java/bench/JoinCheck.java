package bench;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Compares the output of the join of two streams with all pairs of the inputs that are at most 10 s apart: each once, and nothing
 * else. Prints one line: done, or wrong with what was found first.
 *
 * <p>Arguments: bootstrap servers, payments, confirmations, output.
 */
public final class JoinCheck {
  private static final long DIFFERENCE_MS = 10_000;

  private record Event(long id, long at) {}

  private JoinCheck() {}

  public static void main(String[] args) throws Exception {
    Map<String, List<Event>> payments = events(args[0], args[1]);
    Map<String, List<Event>> confirmations = events(args[0], args[2]);
    Map<String, Set<Long>> expected = new HashMap<>();
    long pairs = 0;
    for (Map.Entry<String, List<Event>> of : payments.entrySet()) {
      Set<Long> ofKey = new HashSet<>();
      for (Event payment : of.getValue()) {
        for (Event confirmation : confirmations.getOrDefault(of.getKey(), List.of())) {
          if (Math.abs(payment.at - confirmation.at) <= DIFFERENCE_MS) {
            ofKey.add(payment.id << 32 | confirmation.id);
          }
        }
      }
      pairs += ofKey.size();
      expected.put(of.getKey(), ofKey);
    }
    List<String> wrong = new ArrayList<>();
    long outputs = OutputCheck.read(args[0], args[3], (key, json) -> {
      long pair = json.get("payment").asLong() << 32 | json.get("confirmation").asLong();
      if (!expected.getOrDefault(key, Set.of()).remove(pair)) {
        wrong.add("key " + key + " has " + json + ", which is no pair, or was there before");
      }
    });
    if (outputs != pairs) {
      wrong.add(outputs + " outputs of " + pairs + " pairs");
    }
    OutputCheck.report(wrong, outputs, payments.size());
  }

  private static Map<String, List<Event>> events(String servers, String topic) throws Exception {
    Map<String, List<Event>> events = new HashMap<>();
    OutputCheck.read(servers, topic, (key, json) -> events
        .computeIfAbsent(key, k -> new ArrayList<>())
        .add(new Event(json.get("id").asLong(), json.get("at").asLong())));
    return events;
  }
}
