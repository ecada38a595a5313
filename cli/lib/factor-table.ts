import type { FactorSummary } from '../../daemon/api/views.ts';
import type { Output } from './output.ts';

export function factorTable(output: Output, factors: readonly FactorSummary[]): void {
  output.table(
    ['ID', 'KIND', 'NAME', 'STATE', 'ADDED', 'LAST USED', 'DETAIL'],
    factors.map((factor) => [
      factor.id,
      factor.kind,
      factor.name,
      factor.enabled ? 'enabled' : 'disabled',
      output.cellTime(factor.created),
      factor.lastUsed === undefined ? '' : output.cellTime(factor.lastUsed),
      factor.detail,
    ]),
  );
}
