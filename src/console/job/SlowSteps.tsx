// The steps of a job, the slowest first. The bar of a step ends at the median, and a thin line continues to p95.

import type { ReactNode } from 'react';
import { Card } from '../design/text/Card.tsx';
import { Duration } from '../design/text/Time.tsx';
import { instanceName } from '../graph/instance-grid.ts';
import { harmless } from '../words.ts';
import type { JobTimes } from './job-times.ts';
import styles from './SlowSteps.module.css';

type StepTime = JobTimes['steps'][number];

export function SlowSteps({ steps }: { readonly steps: readonly StepTime[] }): ReactNode {
  const most = Math.max(1, ...steps.map(({ p95_ms: ms }) => ms));
  const share = (ms: number): string => `${(ms / most) * 100}%`;
  return (
    <Card title="Slowest steps" isFlush>
      <table className={styles.steps}>
        <thead>
          <tr>
            <th scope="col">
              <span className="unseen">Step</span>
            </th>
            <th scope="col" className={styles.wide}>
              <span className="unseen">Median and p95</span>
            </th>
            <th scope="col" className={styles.time}>
              median
            </th>
            <th scope="col" className={styles.time}>
              p95
            </th>
            <th scope="col" className={styles.failures}>
              failed
            </th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <tr key={step.step_id}>
              <th scope="row">
                <Name step={step} />
              </th>
              <td className={styles.wide}>
                <span className={styles.track} aria-hidden="true">
                  <span className={styles.bar} style={{ width: share(step.median_ms) }} />
                  <span
                    className={styles.whisker}
                    style={{ left: share(step.median_ms), width: share(step.p95_ms - step.median_ms) }}
                  />
                </span>
              </td>
              <td>
                <Duration ms={step.median_ms} />
              </td>
              <td className={styles.quiet}>
                <Duration ms={step.p95_ms} />
              </td>
              <td className={step.failed > 0 ? styles.failed : styles.quiet}>{step.failed}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Name({ step: { step_id: id, instances, slowest_instance: slowest } }: { readonly step: StepTime }): ReactNode {
  if (slowest === null) return harmless(id);
  return (
    <>
      {harmless(id)}, slowest of {instances}{' '}
      {/* In a list it has only a place, and another run has another item there. */}
      {slowest.includes('=') && <code title={harmless(slowest)}>{harmless(instanceName({ step_id: slowest }))}</code>}
    </>
  );
}
