// Owns how a load shows: a bar per topic on a terminal, a line per topic elsewhere.
import { Presets, SingleBar } from 'cli-progress';

/** An `onProgress` for `load()`. */
export function loadProgress(
  stream: NodeJS.WriteStream = process.stderr,
): (topic: string, done: number, total: number) => void {
  return stream.isTTY ? bars(stream) : lines(stream);
}

function bars(stream: NodeJS.WriteStream): (topic: string, done: number, total: number) => void {
  let bar: SingleBar | undefined;
  let current: string | undefined;
  return (topic, done, total) => {
    if (topic !== current) {
      const format = `  ${topic.padEnd(9)} {bar} {value}/{total}`;
      bar = new SingleBar(
        { stream, format, hideCursor: true, clearOnComplete: false },
        Presets.shades_classic,
      );
      bar.start(total, done);
      current = topic;
    }
    bar?.update(done);
    if (done >= total) bar?.stop();
  };
}

function lines(stream: NodeJS.WriteStream): (topic: string, done: number, total: number) => void {
  const finished = new Set<string>();
  return (topic, done, total) => {
    if (done < total || finished.has(topic)) return;
    finished.add(topic);
    stream.write(`  ${topic}: ${total.toLocaleString('en')} records\n`);
  };
}
