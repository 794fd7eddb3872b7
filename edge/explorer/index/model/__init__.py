"""What pages and API read: frozen records, all texts ready to be shown.

Identifiers are lower-case hexadecimal, handles with 0x, accounts EIP-55; times are milliseconds since 1970;
amounts are the chain's units. `document` fields hold decoded records by field name.
"""

from edge.explorer.index.model.blocks import (
    Block,
    BlockSummary,
    Event,
    Head,
    Transaction,
    TransactionMessage,
    TransactionSummary,
)
from edge.explorer.index.model.charts import Chart, Charts, Series
from edge.explorer.index.model.network import (
    Config,
    ConfigChange,
    Consensus,
    ConsensusRound,
    Party,
    Validator,
)
from edge.explorer.index.model.page import Page
from edge.explorer.index.model.requests import (
    Allowance,
    Answer,
    AuditRecord,
    Ciphertext,
    EvidenceRecord,
    Progress,
    Request,
    RequestSummary,
    Step,
)
from edge.explorer.index.model.things import (
    Account,
    Application,
    ApplicationSummary,
    Balance,
    Handle,
    Material,
    MaterialChange,
    MaterialFile,
    MaterialSummary,
)

__all__ = [
    "Account",
    "Allowance",
    "Answer",
    "Application",
    "ApplicationSummary",
    "AuditRecord",
    "Balance",
    "Block",
    "BlockSummary",
    "Chart",
    "Charts",
    "Ciphertext",
    "Config",
    "ConfigChange",
    "Consensus",
    "ConsensusRound",
    "Event",
    "EvidenceRecord",
    "Handle",
    "Head",
    "Material",
    "MaterialChange",
    "MaterialFile",
    "MaterialSummary",
    "Page",
    "Party",
    "Progress",
    "Request",
    "RequestSummary",
    "Series",
    "Step",
    "Transaction",
    "TransactionMessage",
    "TransactionSummary",
    "Validator",
]
