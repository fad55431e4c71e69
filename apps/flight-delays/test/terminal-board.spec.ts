import { describe, expect, it } from '@jest/globals';

import { renderBoard, renderLine, TerminalBoard, worstAirports } from '../src/board/terminal-board.ts';
import type { AirportDelays } from '../src/data/flight.ts';

const row = (airport: string, meanDelay: number, flights = 100): AirportDelays => ({
  ...{ airport, name: '', city: 'City', state: 'ST', flights, totalDelay: meanDelay * flights, meanDelay },
  ...{ worstDelay: 99, delayed: 10, shareDelayed: 10 / flights },
});
const many = Array.from({ length: 15 }, (_, index) => row(`A${String(index).padStart(2, '0')}`, index));

function fakeStream(isTTY: boolean): { stream: NodeJS.WriteStream; written: string[] } {
  const written: string[] = [];
  const stream = { isTTY, columns: 100, write: (text: string) => written.push(text) };
  return { stream: stream as unknown as NodeJS.WriteStream, written };
}

describe('the board', () => {
  it('shows the ten airports with the highest mean delay, worst first', () => {
    expect(worstAirports(many).map(({ airport }) => airport)).toEqual([
      'A14',
      'A13',
      'A12',
      'A11',
      'A10',
      'A09',
      'A08',
      'A07',
      'A06',
      'A05',
    ]);
    expect(renderBoard({ airports: many, status: 'RUNNING' })).toContain('1,500 flights from 15 airports');
  });

  it('leaves out airports with too few departures for a mean', () => {
    expect(worstAirports([row('FEW', 300, 19), row('BIG', 3, 20)]).map(({ airport }) => airport)).toEqual([
      'BIG',
    ]);
  });

  it('has the same number of lines whatever there is to show', () => {
    const lines = (airports: AirportDelays[]): number =>
      renderBoard({ airports, status: 'RUNNING' }).split('\n').length;
    expect(lines([])).toBe(lines(many));
  });

  it('keeps every line within the columns', () => {
    const long = { ...row('LON', 12), city: 'Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch' };
    for (const line of renderBoard({ airports: [long], status: '', columns: 100 }).split('\n')) {
      expect(line.length).toBeLessThanOrEqual(100);
    }
  });

  it('redraws over its last drawing on a terminal', () => {
    const { stream, written } = fakeStream(true);
    const board = new TerminalBoard(stream);
    board.draw({ airports: many, status: 'RUNNING' });
    board.draw({ airports: many, status: 'RUNNING' });
    expect(written[0]?.startsWith('\u001b[')).toBe(false);
    expect(written[1]?.startsWith(`\u001b[${written[0]!.split('\n').length - 1}A`)).toBe(true);
    board.release();
    board.draw({ airports: many, status: 'RUNNING' });
    expect(written[2]).toBe(written[0]);
  });

  it('writes plain lines where there is no terminal, only when something changed', () => {
    const { stream, written } = fakeStream(false);
    const board = new TerminalBoard(stream);
    const view = { airports: many, status: 'RUNNING' };
    board.draw(view);
    board.draw(view);
    board.draw({ ...view, status: 'STOPPED' });
    expect(written).toEqual([`${renderLine(view)}\n`, `${renderLine({ ...view, status: 'STOPPED' })}\n`]);
    expect(written[0]).toBe(
      '1,500 flights; RUNNING; worst mean delays in minutes: A14 14.0, A13 13.0, A12 12.0\n',
    );
  });
});
