/** The lint can fail: each rule on a text that breaks it. */
import { expect, test } from 'vitest';
import { lint, parseExposition } from '../../support/prometheus-lint.ts';

const GOOD = `# HELP dibs_jobs_total Jobs.
# TYPE dibs_jobs_total counter
dibs_jobs_total{type="a\\"b\\\\c\\nd",state="x"} 3
# HELP dibs_wait_seconds Waits.
# TYPE dibs_wait_seconds histogram
dibs_wait_seconds_bucket{le="1"} 2
dibs_wait_seconds_bucket{le="+Inf"} 3
dibs_wait_seconds_sum 4.5
dibs_wait_seconds_count 3
`;

test('a good text is clean and is read as it was meant', () => {
  expect(lint(GOOD)).toEqual([]);
  const { families } = parseExposition(GOOD);
  expect(families.get('dibs_jobs_total')?.samples).toEqual([
    { name: 'dibs_jobs_total', labels: { type: 'a"b\\c\nd', state: 'x' }, value: 3 },
  ]);
  expect(families.get('dibs_wait_seconds')?.samples).toHaveLength(4);
});

const gauge = (name: string, line: string): string => `# HELP ${name} x\n# TYPE ${name} gauge\n${line}\n`;

test.each<[string, string, RegExp]>([
  ['no help', '# TYPE dibs_a gauge\ndibs_a 1\n', /has no help/],
  ['no type', '# HELP dibs_a x\ndibs_a 1\n', /has no type/],
  ['a type nobody knows', '# HELP dibs_a x\n# TYPE dibs_a meter\ndibs_a 1\n', /is no type/],
  ['a second help', `# HELP dibs_a x\n${gauge('dibs_a', 'dibs_a 1')}`, /second HELP/],
  ['a foreign name', gauge('other_a', 'other_a 1'), /does not begin with dibs_/],
  [
    'a counter without _total',
    '# HELP dibs_a x\n# TYPE dibs_a counter\ndibs_a 1\n',
    /does not end in _total/,
  ],
  ['_total on a gauge', gauge('dibs_a_total', 'dibs_a_total 1'), /is no counter/],
  ['milliseconds', gauge('dibs_a_milliseconds', 'dibs_a_milliseconds 1'), /not in base units/],
  ['its type in its name', gauge('dibs_a_gauge', 'dibs_a_gauge 1'), /type in its name/],
  ['the end of a histogram', gauge('dibs_a_count', 'dibs_a_count 1'), /like a part of a histogram/],
  ['a series twice', gauge('dibs_a', 'dibs_a{b="1"} 1\ndibs_a{b="1"} 2'), /twice/],
  ['a label twice', gauge('dibs_a', 'dibs_a{b="1",b="2"} 1'), /twice/],
  ['a bad escape', gauge('dibs_a', String.raw`dibs_a{b="\t"} 1`), /escape/],
  ['no comma', gauge('dibs_a', 'dibs_a{b="1" c="2"} 1'), /commas/],
  ['no value', gauge('dibs_a', 'dibs_a'), /no value/],
  ['a value that is no number', gauge('dibs_a', 'dibs_a one'), /no number/],
  ['le on a gauge', gauge('dibs_a', 'dibs_a{le="1"} 1'), /is no histogram/],
  ['quantile on a gauge', gauge('dibs_a', 'dibs_a{quantile="1"} 1'), /is no summary/],
  ['an id of a job', gauge('dibs_a', 'dibs_a{b="job_000ade1a064448f1-0-0"} 1'), /has an id/],
  [
    'a counter below 0',
    '# HELP dibs_a_total x\n# TYPE dibs_a_total counter\ndibs_a_total -1\n',
    /less than 0/,
  ],
  ['no +Inf', GOOD.replace(/.*Inf.*\n/, ''), /no \+Inf/],
  ['no _sum', GOOD.replace(/.*_sum.*\n/, ''), /no _sum/],
  ['no _count', GOOD.replace(/.*_count.*\n/, ''), /no _count/],
  ['buckets that fall', GOOD.replace('le="1"} 2', 'le="1"} 9'), /not cumulative/],
  ['a +Inf that is not the count', GOOD.replace('_count 3', '_count 4'), /not its _count/],
  ['no line feed at the end', GOOD.trimEnd(), /line feed/],
  ['a second type', `# TYPE dibs_a gauge\n${gauge('dibs_a', 'dibs_a 1')}`, /second TYPE/],
  ['a type behind its samples', '# HELP dibs_a x\ndibs_a 1\n# TYPE dibs_a gauge\n', /after its samples/],
  ['a name that is none', '# HELP dibs_a x\n# TYPE dibs_a gauge\ndibs-a 1\n', /no name of a metric/],
  ['a label that is none', gauge('dibs_a', 'dibs_a{1b="1"} 1'), /labels cannot be read/],
  ['labels that do not end', gauge('dibs_a', 'dibs_a{b="1"'), /labels/],
  ['a reserved label', gauge('dibs_a', 'dibs_a{__b="1"} 1'), /reserved label/],
  ['capital letters', gauge('dibs_A', 'dibs_A 1'), /capital letters/],
  ['an id of a workflow', gauge('dibs_a', 'dibs_a{b="wf_000ade1a064448f1"} 1'), /has an id/],
  [
    'buckets out of order',
    GOOD.replace('_bucket{le="1"} 2', '_bucket{le="5"} 2\ndibs_wait_seconds_bucket{le="1"} 2'),
    /not in order/,
  ],
])('%s', (_, text, problem) => {
  expect(lint(text).join('\n')).toMatch(problem);
});
