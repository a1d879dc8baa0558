;; Has more tables than a guest may.
(module
  (memory (export "memory") 2)
  (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))
