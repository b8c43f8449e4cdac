// One daemon of a cluster, in a process of its own. Started by `holdfast up`.

import { runDaemonProcess } from '../cli/daemon-process.ts';

runDaemonProcess();
