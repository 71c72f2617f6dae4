"""What the columns of till lines are called elsewhere, in several languages and programs.

Names are compared without case, accents, blanks and punctuation. Those of the first row of a column
are the surest; each further row counts a little less.
"""

from __future__ import annotations

import unicodedata

from basketwise.schema import (
    BASKET_ID,
    CUST_CODE,
    LABEL,
    PROD_CODE,
    PROD_NAME,
    QUANTITY,
    SHOP_DATE,
    SHOP_HOUR,
    SHOP_WEEK,
    SHOP_WEEKDAY,
    SPEND,
    UNIT_PRICE,
)

PRICE = "PRICE"
"""An amount that may be of a unit or of the line: the values have to tell."""
LEVEL = "LEVEL"
"""A level of the products' hierarchy; which one follows from the values."""
TILL = "TILL"
"""The till; no column of a line, but part of the identity of a receipt."""
CURRENCY = "CURRENCY"

STEP = 0.1
"""What each further row of names counts less."""

_NAMES: dict[str, tuple[str, ...]] = {
    BASKET_ID: (
        # English, German, French, Spanish, Italian, Dutch, Portuguese, Polish
        """basketid transactionid transactionno transactionnumber transactioncode receiptid
        receiptno receiptnumber receiptcode orderid orderno ordernumber ordercode invoiceno
        invoicenumber invoiceid ticketid ticketno ticketnumber transid transno txnid txid salesid
        saleid posid tripid visitid basketno basketnumber
        bonnr bonnummer bonid belegnr belegnummer belegid kassenbon kassenbonnr rechnungsnummer
        rechnungsnr warenkorbid einkaufsid
        numticket nticket numeroticket ticketdecaisse idticket numerodeticket idpanier numfacture
        idtransaccion numerofactura nofactura numfactura numerodeticket idcompra
        scontrino numeroscontrino idscontrino nscontrino
        kassabon kassabonnummer transactienummer
        recibo cupom numerocupom idcupom idvenda
        paragon nrparagonu idparagonu""",
        """transaction receipt basket invoice ticket trip warenkorb panier cesta carrello bon beleg
        checkid checknumber billno billid billnumber documentno documentnumber cartid orderref""",
        "order bill check document cart visit session sessionid",
        "name id",
    ),
    PROD_CODE: (
        """prodcode prodid productcode productid productno productnumber sku skuid skucode skuno
        stockcode itemcode itemid itemno itemnumber articleid articlecode articleno articlenumber
        lineitemsku variantsku productsku materialnumber
        artikelnr artikelnummer artnr artikelid materialnummer
        codeproduit codearticle refproduit refarticle idproduit
        codigoproducto codproducto codigoarticulo idproducto idarticulo
        codiceprodotto codicearticolo idprodotto
        artikelcode productnummer
        codigoproduto codproduto idproduto
        kodproduktu idproduktu kodtowaru""",
        """ean eancode ean13 gtin barcode upc upccode plu pluno plucode codebarre codebarres
        codigobarras codicebarre strichcode material reference""",
        "product item article artikel produkt produit producto prodotto produto articulo",
    ),
    PROD_NAME: (
        """prodname productname itemname articlename description productdescription
        itemdescription lineitemname menuitem producttitle skuname
        artikelbezeichnung bezeichnung artikelname produktname artikeltext
        libelle libelleproduit libellearticle designation nomproduit
        descripcion nombreproducto descripcionarticulo
        descrizione nomeprodotto descrizionearticolo
        omschrijving productnaam artikelomschrijving
        descricao nomeproduto nazwa nazwaproduktu nazwatowaru""",
        """item product title article artikel produkt produit producto prodotto produto articulo
        desc""",
        "name",
    ),
    QUANTITY: (
        """quantity qty units pieces itemqty lineitemquantity unitssold quantitysold qtysold
        unitqty unitquantity salesqty itemsold itemssold salesquantity numunits noofunits
        menge anzahl stueck stuck stk stueckzahl stuckzahl
        quantite qte nbarticles
        cantidad cant unidades
        quantita qta pezzi
        aantal hoeveelheid
        quantidade qtd qtde ilosc""",
        "count weight gewicht poids peso waga kg",
    ),
    SPEND: (
        """spend spent salesvalue lineamount linetotal netsales netamount amount sales salesamount
        extendedprice extprice revenue lineprice itemtotal totalprice netvalue salesnet amountpaid
        turnover
        umsatz betrag gesamtpreis nettobetrag zeilenbetrag positionsbetrag zeilensumme nettoumsatz
        montant montantttc montantligne totalligne prixtotal
        importe importetotal montolinea preciototal importelinea
        importo importoriga prezzototale totaleriga
        bedrag regelbedrag omzet totaalbedrag totaalprijs
        valor valortotal precototal
        wartosc kwota""",
        "grosssales grossamount bruttobetrag bruttoumsatz chiffreaffaires ca total value gmv",
    ),
    UNIT_PRICE: (
        """unitprice priceperunit priceeach pricepereach singleprice
        einzelpreis stueckpreis stuckpreis preisprostueck
        prixunitaire pu puttc
        preciounitario precioporunidad
        prezzounitario stuksprijs eenheidsprijs
        precounitario valorunitario cenajednostkowa""",
    ),
    PRICE: (
        """price lineitemprice itemprice netprice sellingprice saleprice salesprice retailprice
        preis verkaufspreis vkpreis vk prix prixvente precio precioventa pvp prezzo prijs
        verkoopprijs preco cena""",
        "grossprice bruttopreis listprice baseprice",
    ),
    LABEL: (
        """basketpricesensitivity pricesensitivity sensitivity pricesegment
        preissensibilitaet preissensibilitat preissegment sensibiliteprix sensibilidadprecio
        sensibilitaprezzo prijsgevoeligheid""",
        """segment basketsegment basketclass pricetier pricelevel pricegroup shoppersegment
        customersegment segmento segmentprix""",
        "label class target tier klasse classe clase etiqueta preisklasse",
    ),
    SHOP_DATE: (
        """shopdate date datetime invoicedate orderdate transactiondate transactiontime saledate
        salesdate purchasedate transdate receiptdate businessdate createdat orderdatetime
        invoicedatetime saledatetime transactiondatetime purchasedat soldat orderedat ts
        datum kaufdatum belegdatum buchungsdatum verkaufsdatum bondatum rechnungsdatum
        dateachat datevente dateticket
        fecha fechaventa fechacompra fechafactura
        datavendita dataacquisto datascontrino
        verkoopdatum datavenda datacompra datasprzedazy""",
        "timestamp sentdate date time data paidat opened openeddate processedat zeitstempel",
        "day tag jour dia giorno dag",
    ),
    SHOP_WEEK: (
        """shopweek week yearweek weekid fiscalweek isoweek weekno weeknumber weeknr
        kw kalenderwoche semaine semana settimana""",
    ),
    SHOP_WEEKDAY: (
        """shopweekday weekday dayofweek dow orderdow wochentag joursemaine diasemana
        giornosettimana dayname""",
    ),
    SHOP_HOUR: (
        "shophour hour hourofday orderhourofday houroftheday stunde heure hora ora uur godzina",
        "time transtime saletime timeofday uhrzeit tijd",
    ),
    "STORE_CODE": (
        """storecode storeid storeno storenumber storenr shopid shopcode branchid branchcode
        outletid locationid siteid
        filialnr filialnummer filialeid marktnr marktnummer
        idmagasin codemagasin idtienda codtienda idnegozio puntovendita winkelnr idloja idsklepu""",
        """store shop branch outlet location site filiale markt magasin tienda negozio winkel loja
        sklep""",
        "storename shopname branchname",
    ),
    "STORE_FORMAT": (
        "storeformat storetype shoptype outlettype vertriebslinie betriebsform typemagasin",
        "format channel diningoption formato",
    ),
    "STORE_REGION": (
        "storeregion region regionname bundesland regione provincia",
        "country state province district pays pais paese land area",
    ),
    CUST_CODE: (
        """custcode custid customerid customercode customerno customernumber householdkey
        householdid memberid membershipid cardid cardno cardnumber loyaltyid loyaltycard
        loyaltycardid loyaltyno clientid userid shopperid
        kundennr kundennummer kundenid kartennummer kartennr
        idclient numclient codeclient numcarte
        idcliente codigocliente codicecliente idtessera tessera
        klantnr klantnummer klantid kaartnummer codcliente idklienta""",
        "customer household member loyalty card kunde client cliente klant klient user shopper",
    ),
    LEVEL: (
        """subcategory category categoryname subclass department dept commodity subcommodity aisle
        productgroup productcategory itemcategory productline productfamily productsubgroup
        producttype prodgroup menugroup menusubgroup menu salescategory reportingcategory division
        section aisleid departmentid categoryid
        warengruppe hauptwarengruppe unterwarengruppe sortiment warenbereich abteilung kategorie
        famille sousfamille rayon categorie souscategorie
        familia subfamilia categoria subcategoria seccion
        reparto sottocategoria
        afdeling productgroep categorieen
        departamento secao kategoria""",
        "group family type groupe gruppo grupo gruppe grupa",
    ),
    TILL: (
        """till tillid tillno register registerid registerno pos posid posno terminal terminalid
        lane laneno kasse kassennr kassennummer caisse caja cassa kassa caixa""",
    ),
    CURRENCY: ("currency currencycode waehrung wahrung devise moneda valuta divisa moeda waluta",),
}

_SCORES = {
    role: {
        name: 1 - STEP * number
        for number, row in reversed(list(enumerate(rows)))
        for name in row.split()
    }
    for role, rows in _NAMES.items()
}


def folded(name: str) -> str:
    """Return a name without case, accents, blanks and punctuation.

    Examples
    --------
    >>> folded("Lineitem quantity"), folded("Prénom_N°"), folded("STÜCKZAHL")
    ('lineitemquantity', 'prenomn', 'stuckzahl')
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(sign for sign in decomposed if sign.isascii() and sign.isalnum())


def name_score(role: str, name: str) -> float:
    """Return how well a column's name fits a role, from 0 to 1.

    Examples
    --------
    >>> name_score("QUANTITY", "Qty"), name_score("QUANTITY", "Lieferant")
    (1.0, 0)
    """
    known = _SCORES.get(role, {})
    exact = known.get(folded(name))
    return exact if exact is not None else 0
