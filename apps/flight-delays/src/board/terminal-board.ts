// Owns drawing the worst airports in a terminal. It is told what to draw; when and from where is the service's business.
import { TerminalScreen } from '../../../lesson-kit/src/index.ts';
import type { Drawing } from '../../../lesson-kit/src/index.ts';
import type { AirportDelays } from '../data/flight.ts';

export interface BoardView {
  readonly airports: Iterable<AirportDelays>;
  /** The line under the title, such as the service's state. */
  readonly status: string;
  /** Length of the board. Default 10. */
  readonly rows?: number;
  /** Airports with fewer departures are left out: the mean of two flights says nothing. Default 20. */
  readonly flightsMin?: number;
  /** Columns to draw into. Default 80. */
  readonly columns?: number;
  /** ANSI colours. Default false. */
  readonly colour?: boolean;
}

const ROWS = 10;
const FLIGHTS_MIN = 20;
const PLACE_COLUMNS = 26;
const TABLE_COLUMNS = 67;

/** The airports with the highest mean delay, worst first; by code where equal. */
export function worstAirports(
  airports: Iterable<AirportDelays>,
  rows = ROWS,
  flightsMin = FLIGHTS_MIN,
): AirportDelays[] {
  return [...airports]
    .filter(({ flights }) => flights >= flightsMin)
    .sort((a, b) => b.meanDelay - a.meanDelay || (a.airport < b.airport ? -1 : 1))
    .slice(0, rows);
}

/** The whole board as text, the same number of lines each time, so that a redraw covers the last. */
export function renderBoard(view: BoardView): string {
  const { rows = ROWS, columns = 80, colour = false } = view;
  const all = [...view.airports];
  const worst = worstAirports(all, rows, view.flightsMin);
  const flights = all.reduce((sum, airport) => sum + airport.flights, 0);
  const style = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const longest = Math.max(1, ...worst.map(({ meanDelay }) => meanDelay));
  // What is left of the line after the columns before it, for the bar.
  const barColumns = Math.max(0, columns - TABLE_COLUMNS - 1);
  const lines = [
    style(
      1,
      `Worst departures: ${flights.toLocaleString('en')} flights from ${all.length.toLocaleString('en')} airports`,
    ),
    view.status,
    '',
    style(2, ` #  ${'airport'.padEnd(PLACE_COLUMNS)}   flights    mean   worst   > 15 min`),
  ];
  for (let index = 0; index < rows; index++) {
    const row = worst[index];
    if (row === undefined) {
      lines.push('');
      continue;
    }
    const place = `${row.airport} ${row.city}${row.state === '' ? '' : `, ${row.state}`}`;
    const bar = '#'.repeat(Math.round((Math.max(0, row.meanDelay) / longest) * barColumns));
    const text = [
      String(index + 1).padStart(2),
      fit(place, PLACE_COLUMNS),
      row.flights.toLocaleString('en').padStart(8),
      row.meanDelay.toFixed(1).padStart(6),
      String(row.worstDelay).padStart(6),
      `${(row.shareDelayed * 100).toFixed(1)} %`.padStart(9),
    ].join('  ');
    lines.push(`${text}${bar === '' ? '' : ` ${style(31, bar)}`}`);
  }
  return lines.join('\n');
}

/** One line on the same, for outputs that are no terminal. */
export function renderLine(view: BoardView): string {
  const all = [...view.airports];
  const flights = all.reduce((sum, airport) => sum + airport.flights, 0);
  const worst = worstAirports(all, 3, view.flightsMin)
    .map(({ airport, meanDelay }) => `${airport} ${meanDelay.toFixed(1)}`)
    .join(', ');
  return `${flights.toLocaleString('en')} flights; ${view.status}${worst === '' ? '' : `; worst mean delays in minutes: ${worst}`}`;
}

/** Redraws in place on a terminal; elsewhere writes a line whenever it has changed. */
export class TerminalBoard {
  readonly #screen: TerminalScreen;

  constructor(stream?: NodeJS.WriteStream) {
    this.#screen = new TerminalScreen(stream);
  }

  draw(view: BoardView): void {
    this.#screen.draw(drawingOf(view));
  }

  /** The whole board, wherever the output goes: for the end of a run. */
  print(view: BoardView): void {
    this.#screen.print(drawingOf(view));
  }

  /** What is written next goes below the board, which stays. */
  release(): void {
    this.#screen.release();
  }
}

function drawingOf(view: BoardView): Drawing {
  return { picture: (style) => renderBoard({ ...style, ...view }), line: renderLine(view) };
}

function fit(text: string, columns: number): string {
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text.padEnd(columns);
}
