import { describe, expect, it } from '@jest/globals';
import { barChart } from '../src/index.ts';

describe('a bar chart', () => {
  it('fills the columns with its longest bar, and keeps the order given', () => {
    const lines = barChart(
      [
        { label: 'river', value: 1_000 },
        { label: 'mill', value: 500 },
      ],
      { columns: 30 },
    ).split('\n');
    expect(lines).toEqual(['river  1,000  ' + '█'.repeat(16), 'mill     500  ' + '█'.repeat(8)]);
    expect(lines[0]).toHaveLength(30);
  });

  it('shows what is little by a short bar, and what is nothing by none', () => {
    const bars = [1_000, 1, 0].map((value) => ({ label: 'x', value }));
    const counts = barChart(bars, { columns: 40 })
      .split('\n')
      .map((line) => line.replace(/[^█]/g, '').length);
    expect(counts.slice(1)).toEqual([1, 0]);
  });

  it('has nothing to draw without bars, and no bars where there is no room', () => {
    expect(barChart([])).toBe('');
    expect(barChart([{ label: 'long enough', value: 3 }], { columns: 5 })).toBe('long enough  3');
  });
});
