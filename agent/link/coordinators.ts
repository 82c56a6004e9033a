/**
 * The list of coordinators and whose turn it is. Pure.
 *
 * 1. Every address is tried once before any is tried again.
 * 2. The first is picked at random, so a fleet spreads over its coordinators.
 */

export interface Coordinators {
  readonly addresses: readonly string[];
  readonly turn: number;
}

/** The list, beginning anywhere (2); `random` in [0, 1). */
export function coordinators(addresses: readonly string[], random: number): Coordinators {
  if (addresses.length === 0) throw new Error('at least one coordinator address is needed');
  return { addresses, turn: Math.floor(random * addresses.length) };
}

export function currentAddress(list: Coordinators): string {
  return list.addresses[list.turn % list.addresses.length] as string;
}

/** Moves on to the next address (1). */
export function nextAddress(list: Coordinators): Coordinators {
  return { addresses: list.addresses, turn: (list.turn + 1) % list.addresses.length };
}

/** Splits `host:port[,host:port]`; a missing port becomes `defaultPort`. Throws with a sentence for people. */
export function parseAddresses(text: string, defaultPort: number): string[] {
  const addresses = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (addresses.length === 0) throw new Error('coordinator: no address given');
  return addresses.map((address) => withPort(address, defaultPort));
}

function withPort(address: string, defaultPort: number): string {
  // unix:/path and dns:///name are gRPC's own schemes and pass as they are.
  if (/^(unix|dns|ipv4|ipv6):/.test(address)) return address;
  const match = /^(\[[^\]]+\]|[^:/\s]+)(?::(\d+))?$/.exec(address);
  if (match === null) throw new Error(`coordinator: "${address}" is not host:port`);
  const port = match[2] === undefined ? defaultPort : Number(match[2]);
  if (port < 1 || port > 65_535) throw new Error(`coordinator: port ${port} of "${address}" is out of range`);
  return `${match[1]}:${port}`;
}
