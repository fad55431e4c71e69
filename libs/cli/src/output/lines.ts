// Owns where the lines of a dump go: stdout as fast as it is read, or a file that appears when it is complete.
import { once } from 'node:events';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { EventEmitter } from 'node:events';
import { FatalError, asError } from '#libs/core';
import type { OutputStream } from '../io.ts';

const CHUNK_CHARACTERS = 64 * 1024;

export interface LineSink {
  write(line: string): Promise<void> | undefined;
  /** All is there. */
  finish(): Promise<void>;
  /** It is not: nothing is left of it. */
  discard(): Promise<void>;
}

/** `undefined`: to stdout. @throws FatalError MILLRACE_INVALID_CONFIG */
export async function lineSink(file: string | undefined, stdout: OutputStream): Promise<LineSink> {
  return file === undefined ? new StreamSink(stdout) : FileSink.open(file);
}

abstract class ChunkedSink implements LineSink {
  private text = '';

  write(line: string): Promise<void> | undefined {
    this.text += `${line}\n`;
    return this.text.length < CHUNK_CHARACTERS ? undefined : this.flush();
  }

  async flush(): Promise<void> {
    const { text } = this;
    this.text = '';
    if (text !== '') await this.put(text);
  }

  async finish(): Promise<void> {
    await this.flush();
  }

  abstract discard(): Promise<void>;
  protected abstract put(text: string): Promise<void>;
}

class StreamSink extends ChunkedSink {
  private readonly stream: OutputStream;

  constructor(stream: OutputStream) {
    super();
    this.stream = stream;
  }

  protected async put(text: string): Promise<void> {
    if (this.stream.write(text) === false && 'once' in this.stream)
      await once(this.stream as unknown as EventEmitter, 'drain');
  }

  /** Lines that were written are whole. */
  discard(): Promise<void> {
    return this.flush();
  }
}

class FileSink extends ChunkedSink {
  private readonly file: string;
  private readonly part: string;
  private readonly handle: FileHandle;

  private constructor(file: string, part: string, handle: FileHandle) {
    super();
    this.file = file;
    this.part = part;
    this.handle = handle;
  }

  static async open(file: string): Promise<FileSink> {
    const part = `${file}.part`;
    try {
      return new FileSink(file, part, await open(part, 'w'));
    } catch (error) {
      throw new FatalError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: `--output "${file}" cannot be written: ${asError(error).message}.`,
        remedy: 'Name a file in a folder that is there.',
        cause: error,
      });
    }
  }

  protected async put(text: string): Promise<void> {
    await this.handle.writeFile(text);
  }

  override async finish(): Promise<void> {
    await this.flush();
    await this.handle.close();
    await rename(this.part, this.file);
  }

  async discard(): Promise<void> {
    await this.handle.close();
    await rm(this.part, { force: true });
  }
}
