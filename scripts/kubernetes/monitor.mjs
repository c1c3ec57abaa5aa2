// monitor.mjs FILE: holds a service monitor to the schema of its kind.

import { readFileSync } from 'node:fs';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';

new ServiceMonitor(JSON.parse(readFileSync(process.argv[2]))).validate();
