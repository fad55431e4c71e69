// Owns the way of chunks from the reader to the queues of the tasks, and the pausing of partitions that have enough.
import type { RecordReader } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { RecordQueue } from './record-queue.ts';
import type { TaskRegistry } from './task-registry.ts';

export class InputRouter {
  private readonly reader: RecordReader;
  private readonly bufferedBytesMax: number;
  private readonly paused = new Map<string, RecordQueue>();

  constructor(reader: RecordReader, bufferedBytesMax: number) {
    this.reader = reader;
    this.bufferedBytesMax = bufferedBytesMax;
  }

  /** @throws MillraceError of a partition that cannot be read. */
  route(registry: TaskRegistry): void {
    this.resume(registry);
    for (;;) {
      const chunk = this.reader.take();
      if (chunk === undefined) return;
      const queue = registry.queue(formatTopicPartition(chunk.topic, chunk.partition));
      if (queue === undefined) continue;
      queue.offer(chunk);
      // What waits until it is due need not wait in memory.
      if (queue.retry !== null || queue.bufferedBytes >= this.bufferedBytesMax) this.pause(queue);
    }
  }

  /** Nothing is read of any task until `route` is called again; what is buffered stays. */
  hold(registry: TaskRegistry): void {
    for (const task of registry.tasks) for (const queue of task.group.queues) this.pause(queue);
  }

  private pause(queue: RecordQueue): void {
    const key = formatTopicPartition(queue.topic, queue.partition);
    if (this.paused.has(key)) return;
    this.paused.set(key, queue);
    this.reader.pause(queue.topic, queue.partition);
  }

  private resume(registry: TaskRegistry): void {
    for (const [key, queue] of this.paused) {
      const current = registry.queue(key);
      const enough = queue.retry === null ? this.bufferedBytesMax / 2 : 0;
      if (current === queue && queue.bufferedBytes > enough) continue;
      this.paused.delete(key);
      // A partition that was given up, or assigned anew, is no longer paused in the reader.
      if (current === queue) this.reader.resume(queue.topic, queue.partition);
    }
  }
}
