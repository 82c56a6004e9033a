/** The history checker: every rule, over everything that was written down. A rule is a file's worth of "never". */
import { acknowledgedEnds, nothingRefused, oneWorkflowPerRequest } from './requests.ts';
import { claimsExplained, oneHolder, onlyOffersLapse, outputOfHolder, slotsFilledOnce } from './claims.ts';
import { expectationOf, expectedEnd, oneEndEach, toldTheTruth } from './endings.ts';
import { gapFree, watchersAgree } from './events.ts';
import type { History, Rule, Violation } from './history.ts';
import { startsAfterNeeds } from './order.ts';
import { stallsExcused } from './stalls.ts';
import type { Weights } from '../workload/shapes.ts';

const nothingLeftOver: Rule = function* ({ stored }) {
  yield* stored.leftover;
};

export function rulesFor(weights?: Weights): Readonly<Record<string, Rule>> {
  return {
    'acknowledged workflows exist and end': acknowledgedEnds,
    'one workflow per request': oneWorkflowPerRequest,
    'nothing is refused': nothingRefused,
    'one end each': oneEndEach,
    'the expected end': expectedEnd((key) => expectationOf(key, weights)),
    'consumers are told the truth': toldTheTruth,
    'logs are gap-free': gapFree,
    'watchers agree with the log': watchersAgree,
    'one holder at a time': oneHolder,
    'results of the holder only': outputOfHolder,
    'claims are explained': claimsExplained,
    'only offers lapse': onlyOffersLapse,
    'each slot is filled once': slotsFilledOnce,
    'steps start after what they need': startsAfterNeeds,
    'stalls have a cause': stallsExcused,
    'nothing is left over': nothingLeftOver,
  };
}

/** All violations; of one rule at most `limit`. */
export function check(history: History, rules = rulesFor(), limit = 20): Violation[] {
  const violations: Violation[] = [];
  for (const [rule, find] of Object.entries(rules)) {
    let count = 0;
    for (const what of find(history)) {
      violations.push({ rule, what });
      if (++count >= limit) break;
    }
  }
  return violations;
}
