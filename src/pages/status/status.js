import { $ } from '../shared/dom.js';
