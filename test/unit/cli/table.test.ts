import { describe, expect, it } from 'vitest';
import { renderFields, renderTable, safe } from '../../../cli/output/table.ts';
import type { Column } from '../../../cli/output/table.ts';

interface Row {
  readonly id: string;
  readonly n: number;
}

const columns: Column<Row>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'COUNT', value: ({ n }) => String(n), align: 'right' },
  { title: 'MORE', value: () => 'x', wide: true },
];

describe('tables', () => {
  it('aligns columns and leaves wide ones out', () => {
    const rows = [
      { id: 'a', n: 1 },
      { id: 'longer', n: 12_345_678 },
    ];
    expect(renderTable(columns, rows)).toEqual(['ID         COUNT', 'a              1', 'longer  12345678']);
    expect(renderTable(columns, rows.slice(0, 1), true)).toEqual(['ID  COUNT  MORE', 'a       1  x']);
  });

  it('shows the titles of nothing', () => {
    expect(renderTable(columns, [])).toEqual(['ID  COUNT']);
  });

  it('counts characters, not bytes or colours', () => {
    const painted: Column<string>[] = [
      { title: 'A', value: (text) => text },
      { title: 'B', value: () => 'b' },
    ];
    expect(renderTable(painted, ['\u001b[31mröd\u001b[39m', 'blå!'])).toEqual([
      'A     B',
      '\u001b[31mröd\u001b[39m   b',
      'blå!  b',
    ]);
  });

  it('shows fields one a line', () => {
    expect(
      renderFields([
        ['id', 'wf_1'],
        ['status', 'failed'],
        ['note', ''],
      ]),
    ).toEqual(['id      wf_1', 'status  failed', 'note']);
  });

  it('lets nobody move the cursor', () => {
    expect(safe('a\u001b[2Jb\nc\u202e')).toBe('a·[2Jb·c·');
  });
});
