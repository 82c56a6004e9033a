/** Everything an async iterable gives, as a list (`Array.fromAsync` is not in the library of es2024). */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
