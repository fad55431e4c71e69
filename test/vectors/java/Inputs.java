import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Generates the inputs of a topology: twenty runs, each of one profile, all from seeds. Knows topics, keys and times; knows nothing of
 * what the topology does with them. Values are a letter p–r and a digit: `p7` is of group `p` and counts 7.
 */
final class Inputs {
  static final String WALL_CLOCK = "(wall clock)";
  static final String[] PROFILES = {"in order", "out of order", "late", "null", "duplicate", "mixed"};
  private static final int[] RUNS = {4, 3, 3, 3, 3, 4};
  private static final int RUN_COUNT = 20;

  record Event(String topic, String key, String value, long time) {}

  record Run(String profile, List<Event> events) {}

  private record Source(String topic, int weight, String keys, boolean isTable, long lag) {}

  private final List<Source> sources = new ArrayList<>();
  private int length = 28;
  private int step = 10;
  private int jitter = 40;
  private int lateness = 200;
  private int leap = 220;
  private int wallClockStep = 0;
  private boolean withEnd = true;

  static Inputs of(String topic) { return new Inputs().stream(topic); }

  static Inputs ofTable(String topic) { return new Inputs().table(topic); }

  Inputs stream(String topic) { return add(topic, 3, "abcd", false); }

  Inputs table(String topic) { return add(topic, 2, "abcd", true); }

  /** A table keyed by the letters that values begin with. */
  Inputs groups(String topic) { return add(topic, 2, "pqr", true); }

  private Inputs add(String topic, int weight, String keys, boolean isTable) {
    sources.add(new Source(topic, weight, keys, isTable, 0));
    return this;
  }

  /** Fewer keys: more records of one key meet. */
  Inputs keys(String keys) {
    sources.replaceAll(s -> s.keys.equals("abcd") ? new Source(s.topic, s.weight, keys, s.isTable, s.lag) : s);
    return this;
  }

  /** The times of the topic added last are so many milliseconds behind the others'. */
  Inputs lagging(long ms) {
    Source s = sources.remove(sources.size() - 1);
    sources.add(new Source(s.topic, s.weight, s.keys, s.isTable, ms));
    return this;
  }

  Inputs length(int records) { length = records; return this; }

  /** Milliseconds: between records on average, disorder that grace forgives, lateness it does not, and a jump ahead that closes windows. */
  Inputs pace(int step, int jitter, int lateness, int leap) {
    this.step = step;
    this.jitter = jitter;
    this.lateness = lateness;
    this.leap = leap;
    return this;
  }

  /** Between records the wall clock advances now and then, by up to so many milliseconds. */
  Inputs wallClock(int ms) { wallClockStep = ms; return this; }

  /** Without the record far ahead of all others that ends every run. */
  Inputs openEnd() { withEnd = false; return this; }

  List<Run> runs(String topology) {
    List<Run> runs = new ArrayList<>();
    int index = 0;
    for (int profile = 0; profile < PROFILES.length; profile++) {
      for (int i = 0; i < RUNS[profile]; i++) runs.add(run(PROFILES[profile], new Random(topology.hashCode() * 31L + index), index++));
    }
    if (index != RUN_COUNT) throw new IllegalStateException("runs: " + index);
    return runs;
  }

  private Run run(String profile, Random random, int index) {
    boolean mixed = profile.equals("mixed");
    boolean disordered = mixed || profile.equals("out of order");
    boolean late = mixed || profile.equals("late");
    boolean nulls = mixed || profile.equals("null");
    boolean duplicates = mixed || profile.equals("duplicate");
    List<Event> events = new ArrayList<>();
    // Half of the runs begin at the epoch, where windows are cut off.
    long base = index % 2 == 0 ? 0 : 1000;
    // Every other two have times that are multiples of five, as most bounds of windows are, so that bounds are met.
    int unit = index / 2 % 2 == 0 ? 1 : 5;
    Event last = null;
    while (events.size() < length) {
      if (wallClockStep > 0 && random.nextInt(5) == 0) {
        events.add(new Event(WALL_CLOCK, null, null, 1 + random.nextInt(wallClockStep)));
        continue;
      }
      if (duplicates && last != null && random.nextInt(4) == 0) {
        events.add(last);
        continue;
      }
      if (!(duplicates && random.nextInt(2) == 0)) base += random.nextInt(12) == 0 ? leap : unit * (1 + random.nextInt(2 * step / unit - 1));
      long time = base;
      if (late && random.nextInt(4) == 0) time = base - lateness / 2 - unit * random.nextInt(lateness / unit);
      else if (disordered && random.nextInt(2) == 0) time = base - unit * random.nextInt(jitter / unit + 1);
      Source source = pick(random);
      String key = nulls && random.nextInt(7) == 0 ? null : String.valueOf(source.keys.charAt(random.nextInt(source.keys.length())));
      boolean isNull = random.nextInt(nulls ? 4 : 5) == 0 && (nulls || source.isTable);
      String value = isNull ? null : "pqr".charAt(random.nextInt(3)) + "" + random.nextInt(10);
      last = new Event(source.topic, key, value, Math.max(0, time - source.lag));
      events.add(last);
    }
    if (withEnd) {
      for (Source source : sources) events.add(new Event(source.topic, source.keys.substring(0, 1), "q1", base + 10_000));
    }
    return new Run(profile, events);
  }

  private Source pick(Random random) {
    int total = sources.stream().mapToInt(Source::weight).sum();
    int at = random.nextInt(total);
    for (Source source : sources) {
      at -= source.weight;
      if (at < 0) return source;
    }
    throw new IllegalStateException();
  }
}
