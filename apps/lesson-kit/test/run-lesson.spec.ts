import { describe, expect, it, jest } from '@jest/globals';
import { FatalError } from '#libs/millrace';
import { runLesson } from '../src/index.ts';
import type { Lesson } from '../src/index.ts';

const lesson = (run: Lesson<number>['run']): Lesson<number> => ({
  usage: 'npm start -- lesson N\n',
  withoutBroker: 'npm start -- lesson --simulated',
  parse: ([text]) => {
    if (text === undefined || Number.isNaN(Number(text))) throw new Error(`'${String(text)}' is no number`);
    return Number(text);
  },
  run,
});

async function written(
  stream: 'stdout' | 'stderr',
  argv: string[],
  run: Lesson<number>['run'] = () => Promise.resolve(0),
): Promise<{ readonly code: number; readonly text: string }> {
  let text = '';
  const spy = jest.spyOn(process[stream], 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    return { code: await runLesson(lesson(run), argv), text };
  } finally {
    spy.mockRestore();
  }
}

describe('the process of a lesson', () => {
  it('runs it with its arguments, and has its exit code', async () => {
    expect(
      await runLesson(
        lesson((n) => Promise.resolve(n)),
        ['7'],
      ),
    ).toBe(7);
  });

  it('answers --help, and a wrong argument with what is wrong and the usage', async () => {
    expect(await written('stdout', ['--help'])).toEqual({ code: 0, text: 'npm start -- lesson N\n' });
    expect(await written('stderr', ['x'])).toEqual({
      code: 2,
      text: "'x' is no number\n\nnpm start -- lesson N\n",
    });
  });

  it('shows of an error with a code what to do, and no stack', async () => {
    const { code, text } = await written('stderr', ['1'], () => {
      throw new FatalError({
        code: 'MILLRACE_NO_BROKER_AVAILABLE',
        message: 'No broker.',
        remedy: 'Get one.',
      });
    });
    expect(code).toBe(1);
    expect(text).toBe(
      '\nMILLRACE_NO_BROKER_AVAILABLE: No broker.\nWhat to do: Get one.\n' +
        'Without any broker: npm start -- lesson --simulated\nMore: docs/errors/MILLRACE_NO_BROKER_AVAILABLE.md\n',
    );
  });

  it('takes what the outside client says for a broker that is away', async () => {
    const { text } = await written('stderr', ['1'], () => {
      throw Object.assign(new Error('Connection error'), { name: 'KafkaJSNumberOfRetriesExceeded' });
    });
    expect(text).toMatch(/^\nMILLRACE_BROKER_UNREACHABLE: .*Connection error/);
  });

  it('shows the stack of an error that nobody expected', async () => {
    const { code, text } = await written('stderr', ['1'], () => {
      throw new TypeError('undefined is not a function');
    });
    expect(code).toBe(1);
    expect(text).toContain('run-lesson.spec.ts');
  });
});
