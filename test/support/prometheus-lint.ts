/**
 * Reads what Prometheus scrapes, and says what is wrong with it: the rules of promtool's `check metrics`, and ours.
 *
 * The parser takes the text format 0.0.4 as it is specified; what it cannot read is a problem of its own.
 */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  help: string | undefined;
  type: string | undefined;
  readonly samples: Sample[];
}

export interface Exposition {
  readonly families: ReadonlyMap<string, Family>;
  readonly problems: readonly string[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

export function parseExposition(text: string): Exposition {
  const families = new Map<string, Family>();
  const problems: string[] = [];
  const family = (name: string): Family => {
    let found = families.get(name);
    if (found === undefined)
      families.set(name, (found = { name, help: undefined, type: undefined, samples: [] }));
    return found;
  };
  if (text !== '' && !text.endsWith('\n')) problems.push('the text does not end with a line feed');
  for (const [index, line] of text.split('\n').entries()) {
    const at = `line ${index + 1}`;
    if (line.trim() === '') continue;
    const comment = /^#\s+(HELP|TYPE)\s+(\S+)\s?(.*)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      if (!NAME.test(name)) problems.push(`${at}: "${name}" is no name of a metric`);
      const one = family(name);
      if (kind === 'HELP') {
        if (one.help !== undefined) problems.push(`${at}: ${name} has a second HELP`);
        one.help = rest.replaceAll(/\\(\\|n)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : '\\'));
      } else {
        if (one.type !== undefined) problems.push(`${at}: ${name} has a second TYPE`);
        if (one.samples.length > 0) problems.push(`${at}: TYPE of ${name} comes after its samples`);
        if (!TYPES.includes(rest)) problems.push(`${at}: "${rest}" is no type`);
        one.type = rest;
      }
      continue;
    }
    if (line.startsWith('#')) continue;
    const sample = parseSample(line);
    if (typeof sample === 'string') problems.push(`${at}: ${sample}`);
    else family(familyOf(sample.name, families)).samples.push(sample);
  }
  return { families, problems };
}

/** A histogram's `_bucket`, `_sum` and `_count` are its own. */
function familyOf(name: string, families: ReadonlyMap<string, Family>): string {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  const type = families.get(base)?.type;
  return type === 'histogram' || type === 'summary' ? base : name;
}

function parseSample(line: string): Sample | string {
  const head = /^([^\s{]+)/.exec(line)?.[1] ?? '';
  if (!NAME.test(head)) return `"${head}" is no name of a metric`;
  const labels: Record<string, string> = {};
  let at = head.length;
  if (line[at] === '{') {
    at++;
    while (line[at] !== '}') {
      const label = /^\s*([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"\s*(,?)/.exec(line.slice(at));
      if (label === null) return `labels cannot be read from "${line.slice(at)}"`;
      const [whole, name = '', value = '', comma] = label;
      if (Object.hasOwn(labels, name)) return `label ${name} is there twice`;
      if (value.replaceAll(/\\[\\n"]/g, '').includes('\\')) return `label ${name} has an escape that is none`;
      labels[name] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
      at += whole.length;
      if (comma === '' && line[at] !== '}') return 'labels are not separated by commas';
    }
    at++;
  }
  const rest = /^\s+(\S+)(?:\s+-?\d+)?\s*$/.exec(line.slice(at));
  if (rest === null) return `no value in "${line}"`;
  const text = rest[1] as string;
  const value = { '+Inf': Infinity, '-Inf': -Infinity, NaN: Number.NaN }[text] ?? Number(text);
  if (Number.isNaN(value) && text !== 'NaN') return `"${text}" is no number`;
  return { name: head, labels, value };
}

/** Everything that is wrong; empty = clean. */
export function lint(text: string): string[] {
  const { families, problems } = parseExposition(text);
  return [...problems, ...[...families.values()].flatMap(lintFamily)];
}

const UNITS = ['milliseconds', 'minutes', 'hours', 'days', 'kilobytes', 'megabytes', 'bits', 'percent', 'ms'];

function lintFamily({ name, help, type, samples }: Family): string[] {
  const problems: string[] = [];
  const wrong = (what: string): void => void problems.push(`${name}: ${what}`);
  if (help === undefined || help.trim() === '') wrong('has no help');
  if (type === undefined) wrong('has no type');
  if (!name.startsWith('dibs_')) wrong('does not begin with dibs_');
  if (/[A-Z]/.test(name)) wrong('has capital letters');
  if (type === 'counter' && !name.endsWith('_total')) wrong('is a counter and does not end in _total');
  if (type !== 'counter' && name.endsWith('_total')) wrong('ends in _total and is no counter');
  for (const word of ['gauge', 'counter', 'histogram'])
    if (name.includes(word)) wrong(`has its type in its name`);
  if (type !== 'histogram' && /_(bucket|sum|count)$/.test(name)) wrong('ends like a part of a histogram');
  for (const unit of UNITS) if (name.split('_').includes(unit)) wrong(`is in ${unit}, not in base units`);
  const seen = new Set<string>();
  for (const sample of samples) {
    const key = `${sample.name} ${labelsText(sample.labels)}`;
    if (seen.has(key)) wrong(`has the series ${key} twice`);
    seen.add(key);
    for (const [label, value] of Object.entries(sample.labels)) {
      if (label === 'le' && type !== 'histogram') wrong('has a label le and is no histogram');
      if (label === 'quantile' && type !== 'summary') wrong('has a label quantile and is no summary');
      if (label.startsWith('__')) wrong(`has the reserved label ${label}`);
      if (/^(job|wf)_[0-9a-z]{8,}/.test(value)) wrong(`has an id in its label ${label}`);
    }
    if (type === 'counter' && !(sample.value >= 0)) wrong('is less than 0');
  }
  if (type === 'histogram') problems.push(...lintHistogram(name, samples));
  return problems;
}

function lintHistogram(name: string, samples: readonly Sample[]): string[] {
  const problems: string[] = [];
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = labelsText(labels);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const [key, group] of groups) {
    const wrong = (what: string): void => void problems.push(`${name}${key}: ${what}`);
    const buckets = group
      .filter((sample) => sample.name === `${name}_bucket`)
      .map(({ labels, value }) => ({ le: labels['le'] === '+Inf' ? Infinity : Number(labels['le']), value }));
    const sum = group.filter((sample) => sample.name === `${name}_sum`);
    const count = group.find((sample) => sample.name === `${name}_count`);
    if (sum.length !== 1) wrong('has no _sum');
    if (count === undefined) wrong('has no _count');
    if (buckets.at(-1)?.le !== Infinity) wrong('has no +Inf bucket at the end');
    else if (count !== undefined && buckets.at(-1)?.value !== count.value)
      wrong('its +Inf bucket is not its _count');
    for (let i = 1; i < buckets.length; i++) {
      const [one, other] = [buckets[i - 1], buckets[i]];
      if (one === undefined || other === undefined) continue;
      if (!(one.le < other.le)) wrong('its buckets are not in order');
      if (one.value > other.value) wrong('its buckets are not cumulative');
    }
  }
  return problems;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels).toSorted();
  return JSON.stringify(names.map((name) => [name, labels[name]]));
}
