/**
 * Cost expressions: the declared cost of a job as a small arithmetic expression over its input,
 * for example `input.width * input.height * (input.steps ?? 20) / 1e6`.
 *
 * Executors declare them, the advertisement ships them, the coordinator evaluates them before any agent
 * has seen the job; so the text is untrusted on both sides.
 *
 * Invariants:
 * 1. Nothing is ever executed but the operators below: no eval, no calls into the input, no global names.
 * 2. A path reads own properties of plain objects and positions of lists only; `__proto__`, `constructor`
 *    and `prototype` are refused when the expression is compiled.
 * 3. Work is bounded by the text: at most MAX_LENGTH characters, MAX_DEPTH levels.
 * 4. A cost is finite and not negative, or there is a sentence that says why there is none.
 *
 * Grammar: sum ('??' sum)* ; `+ - * / %`, unary minus, parentheses, numbers,
 * `input.a.b[0]["c d"]`, `min max ceil floor length`. `a ?? b` is b where a is absent or null.
 */
import { FORBIDDEN_KEYS, isJsonObject, type Json } from './json.ts';

export const MAX_LENGTH = 1000;
export const MAX_DEPTH = 32;

export type CostResult =
  | { readonly ok: true; readonly cost: number }
  | { readonly ok: false; readonly message: string };

export type CompiledCost =
  | { readonly ok: true; evaluate(input: Json): CostResult }
  | { readonly ok: false; readonly message: string };

/** What a node yields: any JSON value on the way, undefined = absent. */
type Value = Json | undefined;
type Node = (input: Json) => Value;

/** A mistake in an expression or in the input it meets; never leaves this file. */
class CostProblem extends Error {}

const TOKEN =
  /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_$][\w$]*)|"((?:[^"\\])*)"|(\?\?|[-+*/%()[\].,]))/y;

interface Token {
  readonly kind: 'number' | 'name' | 'string' | 'mark' | 'end';
  readonly text: string;
  readonly at: number;
}

const FUNCTIONS: Readonly<Record<string, { arity: [number, number]; apply(args: readonly Value[]): Value }>> =
  {
    min: { arity: [1, 16], apply: (args) => Math.min(...args.map(asNumber)) },
    max: { arity: [1, 16], apply: (args) => Math.max(...args.map(asNumber)) },
    ceil: { arity: [1, 1], apply: (args) => Math.ceil(asNumber(args[0])) },
    floor: { arity: [1, 1], apply: (args) => Math.floor(asNumber(args[0])) },
    length: { arity: [1, 1], apply: (args) => lengthOf(args[0]) },
  };

/** Checks the text once; `evaluate` may then be called for any number of inputs. */
export function compileCost(source: string): CompiledCost {
  try {
    const root = new Parser(tokenize(source)).parse();
    return { ok: true, evaluate: (input) => evaluate(root, input) };
  } catch (error) {
    if (error instanceof CostProblem) return { ok: false, message: error.message };
    throw error;
  }
}

function evaluate(root: Node, input: Json): CostResult {
  try {
    const cost = asNumber(root(input));
    if (!Number.isFinite(cost)) return { ok: false, message: 'the cost is not finite' };
    if (cost < 0) return { ok: false, message: `the cost is negative (${cost})` };
    return { ok: true, cost };
  } catch (error) {
    if (error instanceof CostProblem) return { ok: false, message: error.message };
    throw error;
  }
}

function tokenize(source: string): Token[] {
  if (source.length > MAX_LENGTH) throw new CostProblem(`longer than ${MAX_LENGTH} characters`);
  const tokens: Token[] = [];
  const end = source.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new CostProblem(`unexpected text at character ${from + 1}`);
    const [all, number, name, string, mark] = match;
    const at = from + all.length - all.trimStart().length;
    if (number !== undefined) tokens.push({ kind: 'number', text: number, at });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name, at });
    else if (string !== undefined) tokens.push({ kind: 'string', text: string, at });
    else tokens.push({ kind: 'mark', text: mark ?? '', at });
  }
  tokens.push({ kind: 'end', text: 'the end', at: end });
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Node {
    const root = this.#expression();
    if (this.#peek().kind !== 'end') this.#refuse();
    return root;
  }

  #expression(): Node {
    return this.#nested(() => {
      let left = this.#sum();
      while (this.#take('??')) {
        const [first, second] = [left, this.#sum()];
        left = (input) => first(input) ?? second(input);
      }
      return left;
    });
  }

  #sum(): Node {
    let left = this.#product();
    for (;;) {
      const first = left;
      if (this.#take('+')) {
        const second = this.#product();
        left = (input) => asNumber(first(input)) + asNumber(second(input));
      } else if (this.#take('-')) {
        const second = this.#product();
        left = (input) => asNumber(first(input)) - asNumber(second(input));
      } else return left;
    }
  }

  #product(): Node {
    let left = this.#unary();
    for (;;) {
      const first = left;
      if (this.#take('*')) {
        const second = this.#unary();
        left = (input) => asNumber(first(input)) * asNumber(second(input));
      } else if (this.#take('/')) {
        const second = this.#unary();
        left = (input) => asNumber(first(input)) / asNumber(second(input));
      } else if (this.#take('%')) {
        const second = this.#unary();
        left = (input) => asNumber(first(input)) % asNumber(second(input));
      } else return left;
    }
  }

  #unary(): Node {
    if (!this.#take('-')) return this.#primary();
    return this.#nested(() => {
      const operand = this.#unary();
      return (input) => -asNumber(operand(input));
    });
  }

  #primary(): Node {
    const token = this.#peek();
    if (token.kind === 'number') {
      this.#next++;
      const value = Number(token.text);
      return () => value;
    }
    if (this.#take('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    if (token.kind !== 'name') this.#refuse();
    this.#next++;
    return token.text === 'input' ? this.#path() : this.#call(token);
  }

  #path(): Node {
    const keys: (string | number)[] = [];
    for (;;) {
      if (this.#take('.')) keys.push(this.#key('name'));
      else if (this.#take('[')) {
        keys.push(this.#peek().kind === 'number' ? this.#position() : this.#key('string'));
        this.#expect(']');
      } else break;
    }
    const text = ['input', ...keys].join('.');
    return (input) => read(input, keys, text);
  }

  #key(kind: 'name' | 'string'): string {
    const token = this.#peek();
    if (token.kind !== kind) this.#refuse();
    if (FORBIDDEN_KEYS.has(token.text)) throw new CostProblem(`"${token.text}" may not be read`);
    this.#next++;
    return token.text;
  }

  #position(): number {
    const index = Number(this.#peek().text);
    if (!Number.isSafeInteger(index)) this.#refuse();
    this.#next++;
    return index;
  }

  #call(name: Token): Node {
    const known = Object.hasOwn(FUNCTIONS, name.text) ? FUNCTIONS[name.text] : undefined;
    if (known === undefined) {
      throw new CostProblem(
        `"${name.text}" is neither input nor one of ${Object.keys(FUNCTIONS).join(', ')}`,
      );
    }
    this.#expect('(');
    const args = [this.#expression()];
    while (this.#take(',')) args.push(this.#expression());
    this.#expect(')');
    const [least, most] = known.arity;
    if (args.length < least || args.length > most) {
      throw new CostProblem(`${name.text} takes ${least === most ? least : `${least} to ${most}`} values`);
    }
    return (input) => known.apply(args.map((arg) => arg(input)));
  }

  #nested(parse: () => Node): Node {
    if (++this.#depth > MAX_DEPTH) throw new CostProblem(`nested deeper than ${MAX_DEPTH} levels`);
    const node = parse();
    this.#depth--;
    return node;
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #take(mark: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'mark' || token.text !== mark) return false;
    this.#next++;
    return true;
  }

  #expect(mark: string): void {
    if (!this.#take(mark)) this.#refuse(`, expected "${mark}"`);
  }

  #refuse(hint = ''): never {
    const { text, at } = this.#peek();
    throw new CostProblem(`unexpected "${text}" at character ${at + 1}${hint}`);
  }
}

function read(input: Json, keys: readonly (string | number)[], text: string): Value {
  let value: Value = input;
  for (const key of keys) {
    if (value === undefined || value === null) return undefined;
    if (typeof key === 'number') value = Array.isArray(value) ? value[key] : undefined;
    else if (isJsonObject(value)) value = Object.hasOwn(value, key) ? value[key] : undefined;
    else if (key === 'length')
      throw new CostProblem(`write length(${text.replace(/\.length$/, '')}) for a length`);
    else value = undefined;
  }
  return value;
}

function asNumber(value: Value): number {
  if (typeof value === 'number') return value;
  const found =
    value === undefined
      ? 'nothing'
      : value === null
        ? 'null'
        : Array.isArray(value)
          ? 'a list'
          : `a ${typeof value}`;
  throw new CostProblem(`needs a number, found ${found}`);
}

function lengthOf(value: Value): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (isJsonObject(value)) return Object.keys(value).length;
  throw new CostProblem('length needs a string, a list or an object');
}
