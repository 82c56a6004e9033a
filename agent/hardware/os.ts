/** Platform, architecture, host name and release, for people and for label predicates. */
import { arch, hostname, platform, release } from 'node:os';
import si from 'systeminformation';

export interface OperatingSystem {
  readonly platform: string;
  readonly arch: string;
  readonly hostname: string;
  /** "Debian GNU/Linux 12 (6.1.0)" where known, else the kernel's release. */
  readonly release: string;
}

export function knownOs(): OperatingSystem {
  return { platform: platform(), arch: arch(), hostname: hostname(), release: release() };
}

export async function probeOs(): Promise<OperatingSystem> {
  const known = knownOs();
  const { distro, release: version } = await si.osInfo();
  return distro === '' ? known : { ...known, release: `${distro} ${version} (${known.release})` };
}
