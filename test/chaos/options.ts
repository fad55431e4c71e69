// Owns the arguments of `npm run chaos`: their defaults and what is refused.
import { parseArgs } from 'node:util';
import type { GroupProtocol } from './faults.ts';
import { SABOTAGES, sabotageOf } from './sabotage/sabotages.ts';
import type { Sabotage } from './sabotage/sabotages.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** `null`: the schedule of the sabotage. */
  readonly faults: number | null;
  readonly records: number;
  readonly workers: number;
  /** The guarantee that is switched off, or with `control` left on; `null`: an ordinary run. */
  readonly sabotage: Sabotage | null;
  readonly control: boolean;
  /** How the application shares its tasks out: Kafka's classic groups, or those of KIP-1071. */
  readonly protocol: GroupProtocol;
  readonly json: boolean;
}

export const USAGE = `npm run chaos -- [--seed S] [--faults N] [--records N] [--workers N] [--protocol P] [--sabotage GUARANTEE [--control]] [--json]

  --seed S               whole number; the same seed draws the same input and the same schedule. Default: drawn, and shown
  --faults N             how many faults are injected, 0 to 1000. Default 30
  --records N            records with an id that are fed while they happen, 100 to 10,000,000. Default 200,000
  --workers N            processes of the application, 1 to 16. Default 3
  --sabotage GUARANTEE   switches a guarantee off in the processes; the run is then a short one of its own and must find it:
                         ${SABOTAGES.map(({ guarantee }) => guarantee).join(', ')}
  --control              with --sabotage: the same short run with the guarantee left on, which must find nothing
  --protocol P           classic or streams (KIP-1071): who shares the tasks out. Default classic
  --json                 the last line is {"seed","faults","records","violations"}

Exit code 0: no violation. 1: violations, or the run could not be done. 2: the arguments are wrong.`;

export class UsageError extends Error {}

/** @throws UsageError */
export function parseOptions(args: readonly string[]): ChaosOptions | 'help' {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string' },
        faults: { type: 'string' },
        records: { type: 'string' },
        workers: { type: 'string' },
        sabotage: { type: 'string' },
        protocol: { type: 'string', default: 'classic' },
        control: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values['help'] === true) return 'help';
  const given = values['sabotage'];
  const sabotage = typeof given === 'string' ? sabotageOf(given) : undefined;
  if (given !== undefined && sabotage === undefined) {
    throw new UsageError(
      `--sabotage: "${String(given)}" is no guarantee; there are ${SABOTAGES.map(({ guarantee }) => guarantee).join(', ')}`,
    );
  }
  const protocol = values['protocol'];
  if (protocol !== 'classic' && protocol !== 'streams')
    throw new UsageError(`--protocol: "${String(protocol)}" is neither classic nor streams`);
  if (values['control'] === true && sabotage === undefined)
    throw new UsageError('--control: goes with --sabotage');
  const seed = Math.floor(Math.random() * 1_000_000_000);
  return {
    seed: whole(values, 'seed', 0, 2 ** 32 - 1, seed),
    faults:
      sabotage !== undefined && values['faults'] === undefined ? null : whole(values, 'faults', 0, 1_000, 30),
    records: whole(values, 'records', 100, 10_000_000, sabotage?.records ?? 200_000),
    workers: whole(values, 'workers', 1, 16, 3),
    sabotage: sabotage ?? null,
    control: values['control'] === true,
    protocol,
    json: values['json'] === true,
  };
}

function whole(
  values: Readonly<Record<string, unknown>>,
  name: string,
  least: number,
  most: number,
  otherwise: number,
): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  if (typeof text !== 'string') throw new UsageError(`--${name}: a whole number is missing`);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${name}: "${text}" is no whole number from ${least} to ${most}`);
}
