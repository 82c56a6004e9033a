/** Connected agents with what operators and the quarantine said of them: what forecasts, explanations and lists are made of. */
import type { Controls } from './controls.ts';
import type { Fleet } from './fleet.ts';
import type { Member } from './members.ts';
import type { Profile } from '../queue/match.ts';

export class Everyone {
  readonly #fleet: Pick<Fleet, 'connected' | 'members' | 'memberOf' | 'heldBy'>;
  readonly #controls: Controls;

  constructor(fleet: Pick<Fleet, 'connected' | 'members' | 'memberOf' | 'heldBy'>, controls: Controls) {
    this.#fleet = fleet;
    this.#controls = controls;
  }

  members(): Member[] {
    return this.#fleet.members().map((member) => this.#judged(member));
  }

  /** Undefined where it is not connected. */
  memberOf(id: string): Member | undefined {
    const member = this.#fleet.memberOf(id);
    return member && this.#judged(member);
  }

  /** Jobs that agents hold, by queue. */
  heldBy(): ReadonlyMap<string, number> {
    return this.#fleet.heldBy();
  }

  /** Of those that can run something: agents in quarantine can run nothing. */
  async profiles(): Promise<Profile[]> {
    const agents = await this.#fleet.connected();
    return agents
      .filter(({ id }) => this.#controls.quarantine.standingOf(id) !== 'quarantined')
      .map(({ profile }) => profile);
  }

  #judged(member: Member): Member {
    const { pauses, quarantine } = this.#controls;
    if (quarantine.standingOf(member.id) === 'quarantined') {
      const reason = quarantine.sentenceOf(member.id)?.reason ?? '';
      return { ...member, closed: 'quarantined', closedWhy: `is quarantined: ${reason}` };
    }
    const pause = pauses.ofAgent(member.id);
    if (pause === undefined) return member;
    const note = pause.note === '' ? '' : `: ${pause.note}`;
    return { ...member, closed: 'paused', closedWhy: `is paused by ${pause.by}${note}` };
  }
}
